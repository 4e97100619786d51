/* SPDX-License-Identifier: MIT */
/*
 * Overwriting against reading, in src/topic: two publishers, of which the second may die at any
 * step, a reader that may be overrun, and a lossless one, that may die too. The ring has room for
 * RING records of one size; a message is two words, written and read in either order, as the
 * fences between them and `head` leave it open. One step for each access to shared memory.
 *
 * The checks: a reader never takes a message that is torn, or other than the one that was
 * published under its number; messages come in order, and what it had and what it lost are all
 * there were; the lossless one loses nothing, and if it dies nobody waits for ever; the number of a
 * message is the same for all, whoever dies half-way of giving it.
 *
 * Left out: SKIP records and lengths; sleeping, which is event.pml's; readers that look behind a
 * dead publisher, as another one settles here.
 *
 * check: -DRING=2 -DROUNDS=2
 * check: -DRING=3 -DROUNDS=2
 * check: -DRING=2 -DROUNDS=2 -DLOSSLESS
 *
 * A reader that looks at head before it copies; publishers that do not look at the lossless reader;
 * a record that is numbered anew by the one who settles after a death; one that is taken back though
 * its owner committed it before it died:
 * fails: -DRING=2 -DROUNDS=2 -DEARLY
 * fails: -DRING=2 -DROUNDS=2 -DLOSSLESS -DBLIND
 * fails: -DRING=2 -DROUNDS=2 -DANEW
 * fails: -DRING=2 -DROUNDS=2 -DBLUNT
 */
#ifdef EARLY
#define look_before seen_head = head
#define head_seen seen_head
#else
#define look_before skip
#define head_seen head
#endif
#ifdef BLIND
#define looks false
#else
#define looks true
#endif
#ifdef ANEW
#define unnumbered(record) true
#else
#define unnumbered(record) (number[record] == UNKNOWN)
#endif

#ifdef BLUNT
#define unchanged(position) true
#else
#define unchanged(position) (state[at(position)] == RESERVED)
#endif

#ifndef RING
#define RING 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

#define RESERVED 1
#define COMMITTED 2
#define CANCELLED 3
#define NOBODY 255
#define UNKNOWN 255

#define MOST 10 /* positions */
#define READER 2
#define KEEPER 3 /* the lossless one */

byte state[RING], owner[RING], number[RING], first[RING], second[RING];
byte head, tail, shown, count, newest; /* newest: 1 + position */
byte lock = NOBODY;
byte place = NOBODY, place_at, floor;
bool dead[4];
bool finished[2];

byte published[MOST]; /* by number: the message that was shown under it; 0: none yet */
byte shown_count;     /* how many */

#define at(position) ((position) % RING)
#define locked(me) (lock == NOBODY || dead[lock])

/* The second publisher and the lossless reader die wherever they like. */
inline maybe_die(me) {
    if
    :: me % 2 == 1 -> dead[me] = true; goto died
    :: true
    fi
}

/* Show the record at `shown`, in four steps. */
inline show_one(me) {
    if
    :: unnumbered(at(shown)) -> number[at(shown)] = count
    :: else
    fi;
    maybe_die(me);
    if
    :: state[at(shown)] == COMMITTED ->
        d_step {
            newest = shown + 1;
            assert(published[number[at(shown)]] == 0 ||
                   published[number[at(shown)]] == first[at(shown)]);
            if
            :: published[number[at(shown)]] == 0 -> shown_count++
            :: else
            fi;
            published[number[at(shown)]] = first[at(shown)];
            assert(first[at(shown)] == second[at(shown)] && first[at(shown)] != 0)
        }
        maybe_die(me);
        count = number[at(shown)] + 1
    :: else -> count = number[at(shown)]
    fi;
    maybe_die(me);
    shown = shown + 1;
    maybe_die(me)
}

/* It looks, asks the system, and writes: in between the owner may end its record, and die. */
inline settle(me) {
    do
    :: shown == tail -> break
    :: shown != tail && state[at(shown)] != RESERVED -> show_one(me)
    :: shown != tail && state[at(shown)] == RESERVED ->
        if
        :: !dead[owner[at(shown)]] -> break
        :: dead[owner[at(shown)]] ->
            d_step {
                if
                :: unchanged(shown) ->
                    assert(state[at(shown)] == RESERVED);
                    state[at(shown)] = CANCELLED
                :: else
                fi
            }
            maybe_die(me)
        fi
    od
}

/* May head be to + 1? `to` is the position of the oldest record. */
inline may_pass(to, yes) {
    d_step {
        yes = (to < shown && (shown == tail || to + 1 != newest));
        if
        :: place != NOBODY && dead[place] -> place = NOBODY
        :: else
        fi;
        if
        :: looks && yes && to + 1 > floor && place != NOBODY && place_at < newest &&
            place_at < to + 1 -> yes = false
        :: yes && to + 1 > floor && (place == NOBODY || place_at >= newest) -> floor = shown
        :: yes && to + 1 > floor && place != NOBODY && place_at < newest && place_at >= to + 1 ->
            floor = place_at
        :: else
        fi
    }
}

/* The words of a message, in either order. */
inline write_words(position, message, me) {
    if
    :: first[at(position)] = message; maybe_die(me); second[at(position)] = message
    :: second[at(position)] = message; maybe_die(me); first[at(position)] = message
    fi
}

proctype publisher(byte me) {
    byte round, mine, message;
    bool yes, last;
    do
    :: round < ROUNDS ->
        message = 1 + me * ROUNDS + round;
retry:
        atomic { locked(me) -> lock = me }
        maybe_die(me);
        settle(me);
        if
        :: tail + 1 - head > RING ->
            may_pass(head, yes);
            if
            :: !yes ->
                lock = NOBODY;
                /* Until what was in the way may be gone. */
                (shown != tail && (state[at(shown)] != RESERVED || dead[owner[at(shown)]])) ||
                    place == NOBODY || dead[place] || place_at > head || shown == tail;
                goto retry
            :: else
            fi;
            maybe_die(me);
            head = head + 1;
            maybe_die(me)
        :: else
        fi;
        mine = tail;
        last = (shown == tail);
        if
        :: true -> /* publish: the record is nobody's before the tail has passed it */
            state[at(mine)] = COMMITTED;
            number[at(mine)] = (last -> count : UNKNOWN);
            write_words(mine, message, me);
            maybe_die(me);
            tail = mine + 1;
            maybe_die(me);
            if
            :: last -> show_one(me)
            :: else
            fi;
            lock = NOBODY
        :: true -> /* reserve, write while others go on, end it without the lock, show it */
            d_step {
                state[at(mine)] = RESERVED;
                owner[at(mine)] = me;
                number[at(mine)] = (last -> count : UNKNOWN)
            }
            maybe_die(me);
            tail = mine + 1;
            maybe_die(me);
            lock = NOBODY;
            maybe_die(me);
            write_words(mine, message, me);
            maybe_die(me);
            if
            :: state[at(mine)] = COMMITTED
            :: state[at(mine)] = CANCELLED
            fi;
            maybe_die(me);
            if
            :: atomic { locked(me) -> lock = me }
                maybe_die(me);
                settle(me);
                lock = NOBODY
            :: true /* somebody was stopped with the lock in hand */
            fi
        fi;
        maybe_die(me);
        round++
    :: else -> break
    od;
died:
    finished[me % 2] = true
}

/* Before the end somebody publishes or settles once more. */
#define all_done (finished[0] && finished[1] && lock != 0 && (lock == NOBODY || dead[lock]))

proctype reader(byte me) {
    byte seen_head, p, expected, got, lost, s, n, a, b;
    bool done;
    if
    :: me == KEEPER -> /* take the place under the lock */
        atomic { locked(me) -> lock = me }
        d_step {
            p = (newest > head -> newest : head);
            expected = (newest > head -> number[at(newest - 1)] + 1 : count);
            got = expected; /* as if it had had those before */
            floor = 0;
            place_at = p;
            place = me;
            lock = NOBODY
        }
    :: else
    fi;
    do
    :: newest > p ->
        look_before;
        /* The record: in the order in which the processor likes. */
        d_step { s = state[at(p)]; n = number[at(p)] }
        if
        :: a = first[at(p)]; b = second[at(p)]
        :: b = second[at(p)]; a = first[at(p)]
        fi;
        if
        :: head_seen > p -> p = head /* overrun; the lossless one only of what is no message */
        :: head_seen <= p && s == CANCELLED -> p++
        :: head_seen <= p && s != CANCELLED ->
            assert(s == COMMITTED && a == b && a == published[n] && n >= expected);
            assert(me != KEEPER || n == expected);
            lost = lost + n - expected;
            got++;
            expected = n + 1;
            p++
        fi;
        a = 0; b = 0; s = 0; n = 0;
        if
        :: me == KEEPER -> place_at = p; maybe_die(me)
        :: else
        fi
    :: newest <= p && done -> break
    :: newest <= p && !done && all_done -> done = true
    od;
    /* The loss is told with the next message, and the newest may have made room for one that
     * never came. */
    assert(got + lost == shown_count || (me == READER && got + lost < shown_count && head >= newest));
died:
    skip
}

init {
    atomic {
        run publisher(0);
        run publisher(1);
#ifdef LOSSLESS
        run reader(KEEPER)
#else
        run reader(READER)
#endif
    }
}
