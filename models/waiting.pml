/* SPDX-License-Identifier: MIT */
/*
 * The waiting of a queue: src/waiter.c and src/queue/waiting.c over two events. CONSUMERS consumers
 * sleep until there is a message, and each wake is for one of them; a consumer may stop after any
 * message. PRODUCERS producers send SENDS messages each, sleep until there is room, and each wake is
 * for all of them. The ring has room for CAPACITY messages. An attempt is one step, as it is made
 * under a lock; what is told afterwards are steps of their own.
 *
 * A message is sent, or its place is reserved, and then committed or cancelled; with -DROLES the
 * first producer reserves and commits, and the others send. It is received, or with -DPEEK may be
 * taken first and released later. A message waits behind a reservation, so that one commit shows
 * many; a cancelled one is room when a consumer or a producer collects it. With -DJOIN somebody
 * joins a side at any time, or is killed before it has; once it has, nobody may sleep for long.
 *
 * Checked, when nobody can do anything any more: no consumer that lives sleeps while there is a
 * message for it, and no producer that lives while there is room, or could be, if it asked; once
 * somebody has joined, none sleeps that would not soon ask whether that one lives.
 * Beyond what event.pml leaves out: spinning; messages of different lengths, and so a consumer whose
 * buffer is too small; the steps of an attempt, with what is killed in it, and what a killed
 * consumer gives back (queue.pml has both); how long slices are, the end of a side, and readers
 * without write access.
 *
 * Taken back, to see it fail: a consumer that was woken and leaves a message behind wakes the next
 * (KEEP); a cancelled reservation is told to producers (CANCEL_QUIETLY, which no consumer that goes
 * on receiving lets be seen); so is a released message (RELEASE_QUIETLY); one that joins wakes all
 * (JOIN_QUIETLY), and does so before it has joined (JOIN_EARLY); a sleeper looks for itself after a
 * slice (SLEEP_ON); the event's number changes with its bit (STAY).
 */
/* check: -DCONSUMERS=1 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1
   check: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=3 -DCAPACITY=1
   check: -DCONSUMERS=0 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1
   check: -DCONSUMERS=2 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=2 -DROLES
   check: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=2 -DCAPACITY=1 -DPEEK
   check: -DCONSUMERS=2 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DPEEK
   check: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=2 -DCAPACITY=1 -DTIMED=1
   check: -DCONSUMERS=2 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DTIMED=1
   check: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=2 -DCAPACITY=1 -DKILLS=1
   check: -DCONSUMERS=2 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DKILLS=1
   check: -DCONSUMERS=0 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1 -DJOIN
   check: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DJOIN
   fails: -DCONSUMERS=0 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1 -DJOIN -DJOIN_QUIETLY
   fails: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DJOIN -DJOIN_QUIETLY
   fails: -DCONSUMERS=0 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1 -DJOIN -DJOIN_EARLY
   fails: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=1 -DCAPACITY=1 -DJOIN -DJOIN_EARLY
   fails: -DCONSUMERS=2 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=2 -DROLES -DKEEP
   fails: -DCONSUMERS=2 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=2 -DROLES -DSTAY
   fails: -DCONSUMERS=0 -DPRODUCERS=2 -DSENDS=1 -DCAPACITY=1 -DCANCEL_QUIETLY
   fails: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=2 -DCAPACITY=1 -DPEEK -DRELEASE_QUIETLY
   fails: -DCONSUMERS=1 -DPRODUCERS=1 -DSENDS=2 -DCAPACITY=1 -DKILLS=1 -DSLEEP_ON */
#define SLEEPERS (CONSUMERS + PRODUCERS)
#define PROCESSES SLEEPERS
#define EVENTS 2
#define RECORDS (PRODUCERS * SENDS)
#define MESSAGE 0 /* the event of the producers' side */
#define ROOM 1    /* ... of the consumers' */

#define EMPTY 0
#define RESERVED 1
#define COMMITTED 2
#define CANCELLED 3
#define TAKEN 4
#define FREE 5

#ifdef ROLES
#define may_send (me != CONSUMERS)
#define may_reserve (me == CONSUMERS)
#define may_cancel false
#else
#define may_send true
#define may_reserve true
#define may_cancel true
#endif

byte state[RECORDS + 3];
byte whose[RECORDS + 3]; /* of RESERVED */
byte tail, next, head;   /* places; the ring does not come round */

#define passed(i) (state[i] == CANCELLED || (state[i] == RESERVED && dead[whose[i]]))
#define message \
    (state[next] == COMMITTED || \
     (passed(next) && (state[next + 1] == COMMITTED || \
      (passed(next + 1) && state[next + 2] == COMMITTED))))
#define room_now (tail - head < CAPACITY)
#define room (room_now || state[head] == FREE || (head == next && passed(next)))

/* With JOIN somebody joins a side at any time. A sleeper that does not see that one has begun to
 * sleeps long. */
#ifdef JOIN
bool begun, joined; /* the key; the flag */
bool patient[SLEEPERS];
#define CHOOSE_SLICE patient[me] = !begun
#define sleeps_long(i) (patient[i] && joined)
#else
#define CHOOSE_SLICE
#define sleeps_long(i) false
#endif

#define slice_helps \
    (event[(me < CONSUMERS -> MESSAGE : ROOM)] != ticket || \
     (me < CONSUMERS && message) || (me >= CONSUMERS && room))

#include "event.pml"

/* shmx_queue_advance */
inline advance()
{
    do
    :: head < next && (state[head] == FREE || state[head] == CANCELLED) -> head++
    :: else -> break
    od
}

/* shmx_queue_find: next is what there is to take, or there is nothing. */
inline find(ask)
{
    do
    :: state[next] == CANCELLED -> next++
    :: ask && state[next] == RESERVED && dead[whose[next]] -> state[next] = CANCELLED; next++
    :: else -> break
    od;
    advance()
}

inline attempt_receive(ask)
{
    atomic {
        before = head;
        find(ask);
        found = RECORDS;
        if
        :: state[next] == COMMITTED ->
            found = next;
            next++;
            if
            :: state[found] = FREE
#ifdef PEEK
            :: state[found] = TAKEN
#endif
            fi;
            advance();
            more = slept && (state[next] == COMMITTED || state[next] == CANCELLED)
        :: else
        fi;
        now = (head != before -> 1 : 0)
    };
    /* queue_unlock_tell */
    if
    :: now == 1 -> event_look(ROOM, now); event_notify(ROOM, ALL, now, woken)
    :: else
    fi
}

proctype consumer(byte me)
{
    byte ticket, status, now, woken, found, before;
    bool slept, more;
    {
        do
        :: d_step { slept = false; more = false; status = OK };
            attempt_receive(false);
            do
            :: found != RECORDS -> break
            :: found == RECORDS && status == TIMEDOUT -> break
            :: found == RECORDS && status != TIMEDOUT ->
                event_prepare(MESSAGE, ticket);
                do
                :: attempt_receive(true);
                    if
                    :: found != RECORDS -> break
                    :: found == RECORDS ->
                        d_step { slept = true; more = false; CHOOSE_SLICE };
                        event_sleep(MESSAGE, ticket, status);
                        if
                        :: status == TIMEDOUT || event[MESSAGE] != ticket -> attempt_receive(false); break
                        :: else
                        fi
                    fi
                od
            od;
#ifndef KEEP /* shmx_queue_pursue */
            if
            :: slept && (found == RECORDS || more) ->
                event_look(MESSAGE, now);
                event_notify(MESSAGE, 1, now, woken)
            :: else
            fi;
#endif
            if
            :: found == RECORDS -> break
            :: else
            fi;
#ifdef PEEK
            /* shmx_queue_release; another may hold the lock. */
            if
            :: state[found] == TAKEN ->
                atomic {
                    state[found] = FREE;
                    if
                    :: advance()
                    :: skip
                    fi
                };
#ifndef RELEASE_QUIETLY
                event_look(ROOM, now);
                event_notify(ROOM, ALL, now, woken)
#endif
            :: else
            fi;
#endif
            if
            :: skip
            :: break /* it has had enough */
            fi
        od
    } UNTIL_KILLED;
gone:
    skip
}

inline collect()
{
    atomic {
        before = head;
        advance();
        find(true);
        now = (head != before -> 1 : 0)
    };
    if
    :: now == 1 -> event_look(ROOM, now); event_notify(ROOM, ALL, now, woken)
    :: else
    fi
}

/* Sent, or reserved. */
inline attempt_send()
{
    atomic {
        place = RECORDS;
        if
        :: room_now ->
            place = tail;
            tail++;
            whose[place] = me;
            if
            :: may_send -> state[place] = COMMITTED
            :: may_reserve -> state[place] = RESERVED
            fi
        :: else
        fi
    }
}

proctype producer(byte me)
{
    byte ticket, status, now, woken, place, before;
    byte sends = SENDS;
    {
        do
        :: sends == 0 -> break
        :: sends > 0 ->
            sends--;
            attempt_send();
            do
            :: place != RECORDS -> break
            :: place == RECORDS ->
                event_prepare(ROOM, ticket);
                do
                :: collect();
                    attempt_send();
                    if
                    :: place != RECORDS -> break
                    :: place == RECORDS ->
                        d_step { status = OK; CHOOSE_SLICE };
                        event_sleep(ROOM, ticket, status);
                        if
                        :: status == TIMEDOUT || event[ROOM] != ticket -> attempt_send(); break
                        :: else
                        fi
                    fi
                od
            od;
            if
            :: state[place] == RESERVED ->
                if
                :: state[place] = COMMITTED
                :: may_cancel -> state[place] = CANCELLED
                fi
            :: else
            fi;
            before = state[place];
            event_look(MESSAGE, now);
            event_notify(MESSAGE, 1, now, woken);
#ifndef CANCEL_QUIETLY
            if
            :: before == CANCELLED ->
                event_look(ROOM, now);
                event_notify(ROOM, ALL, now, woken)
            :: else
            fi
#endif
        od
    } UNTIL_KILLED;
gone:
    skip
}

#ifdef JOIN
/* shmx_queue_join, the first one */
proctype joiner()
{
    byte now, woken;
    begun = true;
#ifdef JOIN_EARLY
    joined = true;
#endif
    if
    :: true
#ifndef JOIN_QUIETLY
        ->
        event_look(MESSAGE, now);
        event_notify(MESSAGE, ALL, now, woken);
        event_look(ROOM, now);
        event_notify(ROOM, ALL, now, woken);
#endif
        joined = true
    :: true /* it is killed here */
    fi;
    woken = 0
}
#endif

proctype killer()
{
    byte me;
    do
    :: kills > 0 ->
        atomic {
            me = 0;
            do
            :: me < PROCESSES - 1 -> me++
            :: break
            od;
            if
            :: dead[me]
            :: else -> kills--; dead[me] = true; sleeping[me] = AWAKE
            fi;
            me = 0
        }
    :: break
    od
}

init
{
    byte me;
    atomic {
        do
        :: me < CONSUMERS -> run consumer(me); me++
        :: me >= CONSUMERS && me < PROCESSES -> run producer(me); me++
        :: else -> break
        od;
        me = 0;
#if KILLS > 0
        run killer();
#endif
#ifdef JOIN
        run joiner()
#endif
    };
    timeout;
    do
    :: me < CONSUMERS -> assert(sleeping[me] == AWAKE || (!message && !sleeps_long(me))); me++
    :: me >= CONSUMERS && me < PROCESSES ->
        assert(sleeping[me] == AWAKE || (!room && !sleeps_long(me)));
        me++
    :: else -> break
    od;
    over = true
}
