/* SPDX-License-Identifier: MIT */
/*
 * The event of src/sleep.c, one step for each access to shared memory and each call of the system.
 * cond.pml, sem.pml and waiting.pml include it and say what is waited for; alone it proves nothing. A
 * model says before the include how many SLEEPERS there are, at most 4, and how many EVENTS.
 *
 * A wake goes to ANY of the sleepers, one at a time, as no system promises an order. KILLS processes
 * may be killed, at any step. A sleeper looks for itself at the end of a slice only when somebody
 * was killed, and only if it would find something: as long as nobody is, the event must do
 * without. The first TIMED sleepers may run out of time, or look for themselves, whenever they like.
 *
 * Left out: the processor's reordering; that the number comes round after 2^31
 * notifications; that a fresh event begins anywhere by the clock (here at numbers that never meet);
 * calls of the system that fail, and waits that end early without a wake. An exchange that is tried
 * again when it fails is one step, that of the time it succeeds.
 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef TIMED
#define TIMED 0
#endif

/* With ZEROABLE the user may zero an event while somebody sleeps on it. Without, an event begins as
 * one that was used before, and what the count of sleepers would say is left open. */
#ifdef ZEROABLE
#define COUNT(e, by) counted[e] = counted[e] + by;
#define nobody_counted(e) (counted[e] == 0)
#define somebody_counted(e) (counted[e] != 0)
#define FIRST 0
#else
#define COUNT(e, by)
#define nobody_counted(e) true
#define somebody_counted(e) true
#define FIRST 2
#endif

/* Without kills no step depends on who lives, which spin makes use of. */
#if KILLS > 0
#define UNTIL_KILLED unless { dead[me] }
#else
#define UNTIL_KILLED
#endif

#define AWAKE 0
#define WOKEN 200
#define ALL 100

#define OK 0
#define TIMEDOUT 1
#define SLICE 2

byte event[EVENTS] = FIRST; /* bit 0: armed; the rest: the number */
#ifdef ZEROABLE
byte counted[EVENTS]; /* sleepers, in the control block */
#endif
byte first_number = 1;

/* The system: the event that one sleeps on, and 1; or what else it does. */
byte sleeping[SLEEPERS];
bool dead[PROCESSES];
byte kills = KILLS;

bool over; /* nobody could do anything any more, and all was looked at */

#define sleeps(i, e) (sleeping[i] == (e) + 1)
#if SLEEPERS == 1
#define nobody_sleeps(e) (!sleeps(0, e))
#elif SLEEPERS == 2
#define nobody_sleeps(e) (!sleeps(0, e) && !sleeps(1, e))
#elif SLEEPERS == 3
#define nobody_sleeps(e) (!sleeps(0, e) && !sleeps(1, e) && !sleeps(2, e))
#else
#define nobody_sleeps(e) (!sleeps(0, e) && !sleeps(1, e) && !sleeps(2, e) && !sleeps(3, e))
#endif

/* shmx_os_wake */
inline os_wake(e, count, woken)
{
    atomic {
        woken = 0;
        do
        :: woken < count && sleeps(0, e) -> sleeping[0] = WOKEN; woken++
#if SLEEPERS > 1
        :: woken < count && sleeps(1, e) -> sleeping[1] = WOKEN; woken++
#endif
#if SLEEPERS > 2
        :: woken < count && sleeps(2, e) -> sleeping[2] = WOKEN; woken++
#endif
#if SLEEPERS > 3
        :: woken < count && sleeps(3, e) -> sleeping[3] = WOKEN; woken++
#endif
        :: woken == count || nobody_sleeps(e) -> break
        od
    }
}

/* shmx_event_prepare. With PREPARED a model says what else is true from this step on. */
#ifndef PREPARED
#define PREPARED
#endif
inline event_prepare(e, ticket)
{
    d_step {
        if
        :: event[e] == 0 -> event[e] = first_number; first_number = first_number + 100
        :: else -> event[e] = event[e] | 1
        fi;
        ticket = event[e];
        assert(ticket < 230);
        PREPARED
    }
}

/* Taken back to see it fail: a sleeper looks for itself at the end of a slice. */
#ifdef SLEEP_ON
#define look_up false
#else
#define look_up (kills < KILLS && slice_helps)
#endif

/* shmx_event_sleep. With slice_helps a model says when a look of one's own finds something. */
inline event_sleep(e, ticket, status)
{
    atomic {
        if
        :: me < TIMED -> status = TIMEDOUT /* the deadline has passed already */
        :: status = OK
        fi
    };
    if
    :: status == OK ->
        COUNT(e, 1)
        sleeping[me] = (event[e] == ticket -> e + 1 : WOKEN);
        if
        :: atomic { sleeping[me] == WOKEN -> status = OK }
        :: atomic { sleeps(me, e) && me < TIMED -> status = TIMEDOUT }
        :: atomic { sleeps(me, e) && (me < TIMED || look_up) ->
                status = SLICE }
        :: over -> goto gone
        fi;
        d_step { sleeping[me] = AWAKE; COUNT(e, -1) };
        if
        :: status == TIMEDOUT -> status = (event[e] == ticket -> TIMEDOUT : OK)
        :: status == SLICE -> status = OK
        :: status == OK
        fi
#ifdef PASS_ON /* a former way: a wake by one's own number is made one for all */
        ;
        if
        :: status == OK && event[e] == ticket -> event[e] = event[e] + 2; os_wake(e, ALL, status);
            status = OK
        :: else
        fi
#endif
    :: else
    fi
}

/* Taken back by models to see it fail: the number changes with the bit; a notification of
 * an event that is not armed is for all. */
#ifdef STAY
#define DISARMED (now - 1)
#else
#define DISARMED (now - 1 + 2)
#endif
#ifdef ONE_OF_ZEROED
#define UNARMED_COUNT count
#else
#define UNARMED_COUNT ALL
#endif

/* The look of shmx_event_notify: `now` is 0 if nobody is to be woken. With NOTIFIED a model says
 * what else is true from the step on at which the notification is given. */
#ifndef NOTIFIED
#define NOTIFIED
#endif
inline event_look(e, now)
{
    d_step {
        now = event[e];
        if
        :: (now & 1) != 0
        :: (now & 1) == 0 -> NOTIFIED now = (now == 0 -> 255 : 0)
        fi
    }
}

/* The rest of it, and shmx_event_notify_zeroed. `before` is the condition's, see cond.pml. */
#ifndef ARRIVALS_BEFORE
#define ARRIVALS_BEFORE
#define ARRIVALS_AFTER
#endif
inline event_notify(e, count, now, woken)
{
#ifdef ZEROABLE
    if
    :: now == 255 -> now = counted[e] /* shmx_sleepers_counted */
    :: else
    fi;
#endif
    if
    :: now == 0
    :: now != 0 ->
        ARRIVALS_BEFORE
        d_step { event[e] = event[e] + 2; now = event[e]; assert(now < 230); NOTIFIED }
        if
        :: (now & 1) == 0 -> os_wake(e, UNARMED_COUNT, woken)
        :: else ->
            os_wake(e, count, woken);
            ARRIVALS_AFTER
            if
            :: woken != 0 && somebody_counted(e)
            :: woken == 0 || nobody_counted(e) ->
                d_step {
                    if
                    :: event[e] == now -> event[e] = DISARMED
                    :: else -> now = 0
                    fi
                }
                if
                :: now != 0 -> os_wake(e, ALL, woken)
                :: else
                fi
            fi
        fi
    fi
}
