/* SPDX-License-Identifier: MIT */
/*
 * The semaphore: src/sem.c over the event. WAITERS waiters want ROUNDS tokens each, POSTERS posters
 * post TOKENS each, at any time; with -DRISING the first posts one, the next two.
 *
 * Checked: when nobody can do anything any more, no waiter that lives sleeps while a token is there;
 * and tokens are neither made nor lost, but with the killed.
 * Beyond what event.pml leaves out: nobody spins, and the count is never too high to post.
 *
 * Taken back, to see it fail: the event's number changes with its bit (STAY: it takes a post of one
 * that is taken before it is told, a sleeper-to-be, and a post of two beside a newcomer, of which one
 * is left); a notification of a zeroed event is for all (ONE_OF_ZEROED); a sleeper looks for itself
 * after a slice (SLEEP_ON).
 */
/* check: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1
   check: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=1 -DTOKENS=2
   check: -DWAITERS=2 -DROUNDS=2 -DPOSTERS=2 -DTOKENS=1
   check: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1 -DTIMED=1
   check: -DWAITERS=2 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1 -DKILLS=1
   check: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=1 -DTOKENS=2 -DKILLS=1
   check: -DWAITERS=2 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1 -DZEROED
   check: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=2 -DRISING
   fails: -DWAITERS=3 -DROUNDS=1 -DPOSTERS=2 -DRISING -DSTAY
   fails: -DWAITERS=2 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1 -DZEROED -DONE_OF_ZEROED
   fails: -DWAITERS=2 -DROUNDS=1 -DPOSTERS=2 -DTOKENS=1 -DKILLS=1 -DSLEEP_ON */
#define SLEEPERS WAITERS
#define PROCESSES (WAITERS + POSTERS)
#define EVENTS 1
#ifdef ZEROED
#define ZEROABLE
#endif

#ifdef RISING
#define tokens (me - WAITERS + 1)
#else
#define tokens TOKENS
#endif

byte count; /* tokens */
byte taken, posted;

/* The event says so, or a poster was killed between the count and the event. */
#define slice_helps (event[0] != ticket || count > 0)

#include "event.pml"

#define take atomic { count > 0 -> count--; taken++; rounds-- }

proctype waiter(byte me)
{
    byte ticket, status;
    byte rounds = ROUNDS;
    {
        do
        :: rounds == 0 -> break
        :: rounds > 0 ->
            if
            :: take
            :: atomic { count == 0 -> status = OK };
                do
                :: event_prepare(0, ticket);
                    if
                    :: take -> break
                    :: atomic { count == 0 && status != OK -> goto gone }
                    :: count == 0 && status == OK
                    fi;
                    event_sleep(0, ticket, status)
                od
            fi
        od
    } UNTIL_KILLED;
gone:
    skip
}

proctype poster(byte me)
{
    byte now, woken;
    {
        d_step { count = count + tokens; posted = posted + tokens };
        event_look(0, now);
        event_notify(0, tokens, now, woken)
    } UNTIL_KILLED;
gone:
    skip
}

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
            :: else ->
                kills--;
                dead[me] = true;
                if
                :: me < WAITERS -> sleeping[me] = AWAKE
                :: else
                fi
            fi;
            me = 0
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
    byte me;
    atomic {
        do
        :: me < WAITERS -> run waiter(me); me++
        :: me >= WAITERS && me < PROCESSES -> run poster(me); me++
        :: else -> break
        od;
        me = 0;
#if KILLS > 0
        run killer();
#endif
#ifdef ZEROED
        run user()
#endif
    };
    timeout;
    assert(count + taken == posted);
    do
    :: me < WAITERS -> assert(sleeping[me] == AWAKE || count == 0); me++
    :: else -> break
    od;
    over = true
}
