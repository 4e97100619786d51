/* SPDX-License-Identifier: MIT */
/*
 * Waiting on Windows, where WaitOnAddress is for one process only.
 *
 * Each sleeper takes one of the slots in the control block, writes there where its word lies, and
 * sleeps on the named event of that slot. A waker goes through the slots, and signals the events
 * of those whose word it is, the one that came first before the others. A slot's state is one
 * number, changed by compare-and-exchange:
 *
 *     bits 0, 1    FREE -> TAKEN -> WAITING -> WOKEN -> FREE, or WAITING -> FREE
 *     bits 2-31    owner token of the sleeper's attachment
 *     bits 32-63   turn: counted up in the segment with each sleep. A state seen twice is the same
 *                  sleeper in the same sleep, and the offset read in between is its word's; of
 *                  two sleepers the one with the lower turn came first
 *
 * No wake is lost. The sleeper stands in the slot as WAITING and then looks at the word; the waker
 * changes the word and then looks at the slots; with a full fence between the steps on both sides
 * one sees the other. A wake is the step from WAITING to WOKEN; the event only tells to look, so
 * that one left signalled by an earlier sleep does no harm. A sleeper that finds its word changed
 * before it slept, and was woken for it, gives the wake to the next one. No wake goes to a
 * newcomer while an earlier one sleeps on: a sleeper that is not in a slot when the waker goes by
 * looks at the word after the waker has changed it.
 *
 * Killed sleepers stay in their slots. Whether one lives is asked only when it matters: if a wake
 * has been given and another sleeper of the word would go on sleeping for it; and if all slots
 * are in use. A waker killed between the step and the signal leaves a sleeper that sees it for
 * itself, as each looks up from time to time. Sleepers that find no slot look at their word at
 * short intervals. Bytes that others may have written into the slots are never more than a wrong
 * guess about whom to wake.
 *
 * models/slots.pml is this file's model.
 */
#include "win32.h"

enum { FREE, TAKEN, WAITING, WOKEN, KINDS };

/* How long a sleeper sleeps before it looks up. Only what a waker left half-done when it was killed
 * waits for it, so it may be long. */
#define LOOK_UP ((int64_t)1000 * 1000 * 1000)

/* A sleeper without a slot: from one look at the word, and for a slot, to the next; doubling. */
#define NAP_FIRST ((int64_t)1000 * 1000)
#define NAP_MOST ((int64_t)32 * 1000 * 1000)

/* How often an attachment asks whether those who have all the slots are alive. */
#define RECLAIM_EVERY ((int64_t)100 * 1000 * 1000)

/* ---- events ---- */

void shmx_win32_wait_end(struct shmx_attachment *attachment)
{
    for (unsigned i = 0; i < SHMX_SLOTS; i++)
        if (atomic_load(&attachment->os.events[i]) != NULL)
            CloseHandle(atomic_load(&attachment->os.events[i]));
}

/* The event of a slot. The first makes it, the others open it. */
static int event_of(struct shmx_attachment *attachment, unsigned slot, HANDLE *event)
{
    HANDLE known = NULL;
    *event = atomic_load(&attachment->os.events[slot]);
    if (*event != NULL)
        return SHMX_OK;
    DWORD everyone = shmx_win32_event_rights(attachment->label.flags);
    int status = shmx_win32_event_make(attachment, "w", slot, everyone, true, event);
    if (status != SHMX_OK)
        return status;
    if (!atomic_compare_exchange_strong(&attachment->os.events[slot], &known, *event)) {
        CloseHandle(*event);
        *event = known;
    }
    return SHMX_OK;
}

/* ---- a slot's state ---- */

static unsigned slot_kind(uint64_t state)
{
    return (unsigned)(state % KINDS);
}

static uint32_t token_of(uint64_t state)
{
    return (uint32_t)(state / KINDS) & SHMX_OWNER_MASK;
}

static uint64_t as(uint64_t state, unsigned kind)
{
    return state - state % KINDS + kind;
}

/* Sequentially consistent, as are all operations on slots: this is no place to save a fence. */
static bool step(struct shmx_slot *slot, uint64_t from, unsigned kind)
{
    return atomic_compare_exchange_strong(&slot->state, &from, as(from, kind));
}

/* ---- sleepers ---- */

/* One sleep. */
struct sleep {
    struct shmx_attachment *attachment;
    _Atomic uint32_t *word;
    uint32_t expected;
    uint32_t token;
    uint32_t turn;
    int64_t deadline;
    struct shmx_slot *slot; /* NULL: none */
    unsigned index;         /* the slot's */
    uint64_t state;         /* of the slot, while nobody has woken the sleeper */
};

static uint64_t offset_of(const struct shmx_attachment *attachment, const _Atomic uint32_t *word)
{
    return (uint64_t)((const unsigned char *)word - attachment->data);
}

static bool slot_try(struct sleep *sleep, unsigned index)
{
    struct shmx_slot *slot = &sleep->attachment->control->slots[index];
    uint64_t seen = atomic_load(&slot->state);
    uint64_t taken = (uint64_t)sleep->turn << 32 | (uint64_t)sleep->token * KINDS | TAKEN;
    if (slot_kind(seen) != FREE || !atomic_compare_exchange_strong(&slot->state, &seen, taken))
        return false;
    atomic_store(&slot->offset, offset_of(sleep->attachment, sleep->word));
    sleep->slot = slot;
    sleep->index = index;
    sleep->state = as(taken, WAITING);
    return true;
}

/* Find a free slot and take it. Relaxed hint: any number is right, modulo the slots. */
static bool slot_take(struct sleep *sleep)
{
    uint32_t hint = atomic_load_explicit(&sleep->attachment->os.hint, memory_order_relaxed);
    for (unsigned i = 0; i < SHMX_SLOTS; i++) {
        unsigned index = (hint + i) % SHMX_SLOTS;
        if (slot_try(sleep, index)) {
            if (i != 0)
                atomic_store_explicit(&sleep->attachment->os.hint, index, memory_order_relaxed);
            return true;
        }
    }
    return false;
}

/* Free the slots of dead sleepers. */
static void slots_reclaim(struct sleep *sleep)
{
    int64_t now = shmx_os_now();
    int64_t after = atomic_load(&sleep->attachment->os.reclaim_at);
    if (now < after || !atomic_compare_exchange_strong(&sleep->attachment->os.reclaim_at, &after,
                                                       now + RECLAIM_EVERY))
        return;
    uint32_t known = sleep->token; /* of those in a row that are one's, only the first is asked */
    for (unsigned i = 0; i < SHMX_SLOTS; i++) {
        struct shmx_slot *slot = &sleep->attachment->control->slots[i];
        uint64_t state = atomic_load(&slot->state);
        bool alive = true;
        if (slot_kind(state) == FREE || token_of(state) == known)
            continue;
        if (shmx_os_owner_alive(sleep->attachment, token_of(state), &alive) == SHMX_OK && !alive)
            step(slot, state, FREE);
        else
            known = token_of(state);
    }
}

/* Give the slot back. True if the sleeper had been woken. */
static bool slot_leave(struct sleep *sleep)
{
    if (step(sleep->slot, sleep->state, FREE))
        return false;
    /* If that fails too, a process has written there that should not, and this one leaves the slot
     * alone. */
    return step(sleep->slot, as(sleep->state, WOKEN), FREE);
}

/* Without a slot nobody can wake this one: sleep until there is one, or until there is a result. */
static int slot_await(struct sleep *sleep)
{
    int64_t nap = NAP_FIRST;
    while (!slot_take(sleep)) {
        slots_reclaim(sleep);
        int64_t left = sleep->deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        if (atomic_load(sleep->word) != sleep->expected)
            return SHMX_OK;
        shmx_os_sleep(left < nap ? left : nap);
        nap = nap < NAP_MOST ? 2 * nap : nap;
    }
    return SHMX_OK;
}

/* Sleep as long as the slot says WAITING; an event that was left signalled is passed over. */
static int sleep_in_slot(const struct sleep *sleep, HANDLE event)
{
    while (atomic_load(sleep->word) == sleep->expected) {
        int64_t left = sleep->deadline - shmx_os_now();
        if (left <= 0)
            return SHMX_ETIMEDOUT;
        left = left < LOOK_UP ? left : LOOK_UP;
        WaitForSingleObject(event, (DWORD)((left + 999999) / 1000000));
        if (atomic_load(&sleep->slot->state) != sleep->state)
            return SHMX_OK;
    }
    return SHMX_OK;
}

static int sleep_with_event(struct sleep *sleep, HANDLE event)
{
    atomic_store(&sleep->slot->state, sleep->state);
    atomic_thread_fence(memory_order_seq_cst);
    bool slept = atomic_load(sleep->word) == sleep->expected;
    int status = slept ? sleep_in_slot(sleep, event) : SHMX_OK;
    if (!slot_leave(sleep))
        return status;
    if (slept)
        return SHMX_OK;
    status = shmx_os_wake(sleep->attachment, sleep->word, 1);
    return status < 0 ? status : SHMX_OK;
}

int shmx_os_wait(struct shmx_attachment *attachment, _Atomic uint32_t *word, uint32_t expected,
                 int64_t deadline)
{
    struct sleep sleep = {
        .attachment = attachment, .word = word, .expected = expected, .deadline = deadline};
    HANDLE event;
    int status = shmx_os_owner_claim(attachment, &sleep.token);
    if (status != SHMX_OK)
        return status;
    sleep.turn = atomic_fetch_add(&attachment->control->last_turn, 1) + 1;
    status = slot_await(&sleep);
    if (sleep.slot == NULL)
        return status;
    status = event_of(attachment, sleep.index, &event);
    if (status == SHMX_OK)
        return sleep_with_event(&sleep, event);
    step(sleep.slot, as(sleep.state, TAKEN), FREE);
    return status;
}

/* ---- wakers ---- */

/* A sleeper of the word, as seen. */
struct seen {
    uint64_t state;
    unsigned index; /* of its slot */
    bool woken;     /* by this call, and perhaps dead */
};

/* One call of wake. */
struct alarm {
    struct shmx_attachment *attachment;
    uint64_t offset;
    int left;                     /* wakes still to be given */
    unsigned count;               /* of sleepers seen */
    struct seen seen[SHMX_SLOTS]; /* in the order in which they came */
};

static bool came_before(uint64_t one, uint64_t other)
{
    return (int32_t)((uint32_t)(one >> 32) - (uint32_t)(other >> 32)) < 0; /* turns wrap */
}

/* Note down the sleeper of the word that is in the slot, if there is one. */
static void slot_look(struct alarm *alarm, unsigned index)
{
    struct shmx_slot *slot = &alarm->attachment->control->slots[index];
    uint64_t state = atomic_load(&slot->state);
    if (slot_kind(state) != WAITING || atomic_load(&slot->offset) != alarm->offset)
        return;
    unsigned at = alarm->count++;
    for (; at > 0 && came_before(state, alarm->seen[at - 1].state); at--)
        alarm->seen[at] = alarm->seen[at - 1];
    alarm->seen[at] = (struct seen){state, index, false};
}

/* Take back the wakes given to dead sleepers, because a living one wants them. */
static void take_back(struct alarm *alarm)
{
    for (unsigned i = 0; i < alarm->count; i++) {
        struct seen *one = &alarm->seen[i];
        bool alive = true;
        if (one->woken &&
            shmx_os_owner_alive(alarm->attachment, token_of(one->state), &alive) == SHMX_OK &&
            !alive) {
            step(&alarm->attachment->control->slots[one->index], as(one->state, WOKEN), FREE);
            alarm->left++;
        }
        one->woken = false;
    }
}

static int wake_one(struct alarm *alarm, struct seen *one)
{
    HANDLE event;
    /* First the event: a sleeper that was made WOKEN must learn of it. */
    int status = event_of(alarm->attachment, one->index, &event);
    if (status != SHMX_OK)
        return status;
    if (!step(&alarm->attachment->control->slots[one->index], one->state, WOKEN))
        return SHMX_OK;
    one->woken = true;
    alarm->left--;
    return SetEvent(event) ? SHMX_OK : shmx_win32_error(GetLastError());
}

int shmx_os_wake(struct shmx_attachment *attachment, _Atomic uint32_t *word, int count)
{
    struct alarm alarm;
    alarm.attachment = attachment;
    alarm.offset = offset_of(attachment, word);
    alarm.left = count;
    alarm.count = 0;
    int status = SHMX_OK;
    /* The caller's change of the word before, the look at the slots after. */
    atomic_thread_fence(memory_order_seq_cst);
    for (unsigned i = 0; i < SHMX_SLOTS; i++)
        slot_look(&alarm, i);
    for (unsigned i = 0; status == SHMX_OK && i < alarm.count; i++) {
        if (alarm.left == 0)
            take_back(&alarm);
        if (alarm.left == 0)
            break;
        status = wake_one(&alarm, &alarm.seen[i]);
    }
    return status == SHMX_OK ? count - alarm.left : status;
}
