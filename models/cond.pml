/* SPDX-License-Identifier: MIT */
/*
 * The condition: src/cond.c over the event. WAITERS waiters wait ROUNDS times each; SIGNALS signals (one
 * or two) and BROADCASTS broadcasts are given at any time, with and without the mutex: waiting
 * begins with the event's preparation, which is done under the mutex, and the mutex has no other
 * part in it.
 *
 * Checked, when nobody can do anything any more:
 *   - each signal has unblocked one of those that waited when it was given, and each of several
 *     signals another one, unless none was left;
 *   - a broadcast has unblocked all that waited when it was given;
 *   - a waiter that was given a signal does not report that time ran out (assert).
 * With -DZEROED the user zeroes the condition once, at any time, as in a repair.
 * Beyond what event.pml leaves out: nobody spins.
 */
/* check: -DWAITERS=2 -DROUNDS=1 -DSIGNALS=2
   check: -DWAITERS=3 -DROUNDS=1 -DSIGNALS=1
   check: -DWAITERS=3 -DROUNDS=1 -DSIGNALS=2
   check: -DWAITERS=2 -DROUNDS=2 -DSIGNALS=2
   check: -DWAITERS=2 -DROUNDS=2 -DSIGNALS=1 -DBROADCASTS=1
   check: -DWAITERS=3 -DROUNDS=1 -DSIGNALS=1 -DTIMED=1
   check: -DWAITERS=2 -DROUNDS=2 -DSIGNALS=2 -DTIMED=1
   check: -DWAITERS=2 -DROUNDS=1 -DSIGNALS=2 -DKILLS=1
   check: -DWAITERS=3 -DROUNDS=1 -DSIGNALS=1 -DKILLS=1
   check: -DWAITERS=2 -DROUNDS=1 -DSIGNALS=2 -DZEROED
   check: -DWAITERS=2 -DROUNDS=2 -DSIGNALS=1 -DZEROED
   fails: -DWAITERS=2 -DROUNDS=2 -DSIGNALS=2 -DSTAY
   fails: -DWAITERS=3 -DROUNDS=1 -DSIGNALS=2 -DPASS_ON
   fails: -DWAITERS=2 -DROUNDS=1 -DSIGNALS=2 -DZEROED -DONE_OF_ZEROED */
#ifndef BROADCASTS
#define BROADCASTS 0
#endif
#define SLEEPERS WAITERS
#define PROCESSES (WAITERS + SIGNALS + BROADCASTS)
#define EVENTS 1
#ifdef ZEROED
#define ZEROABLE
#endif

/* A waiter that prepared between a signal and its wake may have been woken in place of an older waiter: then
 * all are. */
byte arrivals;
#ifndef PASS_ON
#define ARRIVALS_BEFORE before = arrivals;
#define ARRIVALS_AFTER \
    if \
    :: arrivals != before -> os_wake(0, ALL, woken) \
    :: arrivals == before \
    fi;
#endif

/* Known to the checks only, a bit for each waiter. */
byte waiting;        /* between the preparation and the return */
byte given[SIGNALS]; /* those that waited at this signal; 0 when one of them has returned */
byte newer;          /* which signal was given last */
byte to_all;         /* those that waited at a broadcast */

/* Waiters are alike, and so are signals: their numbers follow their beginnings,
 * unless some are killed. */
byte begun, signalled;

#define older (SIGNALS - 1 - newer)
#define bit (1 << me)
#define PREPARED \
    waiting = waiting | bit; \
    begun = (begun == me -> me + 1 : begun);

inline leave()
{
    waiting = waiting & ~bit;
    owed = (to_all & bit) != 0;
    to_all = to_all & ~bit;
    k = 0;
    do
    :: k < SIGNALS ->
        if
        :: (given[k] & bit) != 0 -> owed = true; given[k] = given[k] & ~bit
        :: else
        fi;
        k++
    :: else -> break
    od;
    k = 0
}

/* The older one of the signals that this waiter may have been woken by has its waiter. */
inline leave_woken()
{
    if
    :: (given[older] & bit) != 0 -> given[older] = 0
    :: (given[older] & bit) == 0 && (given[newer] & bit) != 0 -> given[newer] = 0
    :: else
    fi;
    leave()
}

/* A signal, or a broadcast, is given at this step. */
#define NOTIFIED \
    if \
    :: me < WAITERS + SIGNALS -> \
        newer = me - WAITERS; \
        given[newer] = waiting \
    :: else -> to_all = to_all | waiting \
    fi;

/* A look at the end of a slice finds something. */
#define slice_helps (event[0] != ticket)

#include "event.pml"

proctype waiter(byte me)
{
    byte ticket, status, k;
    byte rounds = ROUNDS;
    bool owed;
    {
        do
        :: rounds > 0 ->
            rounds--;
            atomic { KILLS > 0 || me <= begun -> event_prepare(0, ticket) };
            arrivals++;
again:
            event_sleep(0, ticket, status);
            if
            :: atomic { status == OK && event[0] == ticket -> goto again }
            :: d_step { status == TIMEDOUT && event[0] == ticket -> leave(); assert(!owed) }
            :: d_step { event[0] != ticket -> leave_woken() }
            fi
        :: else -> break
        od
    } UNTIL_KILLED;
gone:
    skip
}

proctype signaller(byte me)
{
    byte now, woken, before;
    {
        atomic { KILLS > 0 || me - WAITERS <= signalled -> signalled++; event_look(0, now) };
        event_notify(0, (me < WAITERS + SIGNALS -> 1 : ALL), now, woken)
    } UNTIL_KILLED;
gone:
    skip
}

/* Kills at any time, or not. */
proctype killer()
{
    byte me, k;
    bool owed;
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
            :: else ->
                kills--;
                dead[me] = true;
                if
                :: me < WAITERS ->
                    sleeping[me] = AWAKE;
                    leave()
                :: else
                fi
            fi;
            me = 0; owed = false
        }
    :: break
    od
}

#ifdef ZEROED
proctype user()
{
    event[0] = 0
}
#endif

init
{
    byte i;
    atomic {
        do
        :: i < WAITERS -> run waiter(i); i++
        :: i >= WAITERS && i < PROCESSES -> run signaller(i); i++
        :: else -> break
        od;
        i = 0;
#if KILLS > 0
        run killer();
#endif
#ifdef ZEROED
        run user()
#endif
    };
    timeout;
    do
    :: i < SIGNALS -> assert(given[i] == 0); i++
    :: else -> break
    od;
    assert(to_all == 0);
    over = true
}
