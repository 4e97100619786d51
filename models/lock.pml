/* SPDX-License-Identifier: MIT */
/*
 * The robust lock: src/lock.c, one step for each access to the lock and each call of the system.
 * PROCESSES processes have THREADS threads each, which share an attachment, and so its token. Marks
 * of threads differ in all processes (with -DMARK=number the numbers of one process are those of
 * another, and a thread believes that it holds what another does). Every thread locks and unlocks at most ROUNDS times.
 *
 *   KILLS   processes are killed, each between any two steps
 *   ENDS    threads end while they hold the lock, in a process that lives on
 *   TIMED   the first threads run out of time whenever they like
 *   -DPLAIN the owner is an attachment and not a thread, as in a queue's sides
 *   -DONCE  src/once.c: what is locked for is done once
 *
 * A wake goes to ANY of the sleepers. A sleeper looks for itself (after shmx_slice) only when somebody
 * was killed, and only if it would find something: as long as nobody is killed, the lock must do
 * without. Checked:
 *
 *   - no two owners: assert at the entry of the critical section;
 *   - the death of an owner, or the end of its thread, is told to one successor, and only then:
 *     assert there too; so a live owner is never taken for dead, and after a death the lock is an
 *     ordinary one again;
 *   - no thread is told that it holds what it does not, or the other way round: asserts where the
 *     code says SHMX_EDEADLK and SHMX_EPERM, neither of which can be right here;
 *   - no sleep beside a lock that is free, whoever runs out of time: spin's own check that nobody is
 *     stuck, as each thread may stop before any round;
 *   - what is done once is done once, and again only after a death half-way (asserts).
 *
 * Left out: the processor's reordering, spinning, calls of the system that fail (so `leave`), the
 * list of the locks that a thread holds, and two attachments of one segment in one process.
 */
/* check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=2
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=2 -DTIMED=1
   check: -DPROCESSES=4 -DTHREADS=1 -DROUNDS=1 -DTIMED=2
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DTIMED=1 -DENDS=1
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=2 -DENDS=2
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DENDS=2
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=1
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=2
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=1 -DENDS=1
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=1 -DTIMED=1
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DKILLS=1
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=2 -DTIMED=1 -DPLAIN
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=2 -DPLAIN
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DENDS=1 -DONCE
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=1 -DONCE
   fails: -DPROCESSES=4 -DTHREADS=1 -DROUNDS=1 -DTIMED=1 -DSWALLOW
   fails: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DFORGET
   fails: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DMARK=number */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef ENDS
#define ENDS 0
#endif
#ifndef TIMED
#define TIMED 0
#endif
#define LOCKERS (PROCESSES * THREADS)
#define NOBODY 255
#define ENDED 100

#if KILLS > 0
#define UNTIL_KILLED unless { dead[process] }
#else
#define UNTIL_KILLED
#endif

/* The lock. owner, claiming and waiters are one word, read and changed together. */
byte owner; /* token: 1 + process; 0: free; ENDED */
bool claiming;
bool waiters;
byte thread;
bool once_done; /* of once */

/* The system. */
bool dead[PROCESSES];
bool asleep[LOCKERS];
byte kills = KILLS;
byte ends = ENDS;

/* Known to the checks only. */
byte holder = NOBODY; /* the thread in the critical section */
bool death_due;       /* an owner has died whose death nobody was told of */

#define token (process + 1)
#ifndef MARK
#define MARK (me + 1)
#endif
#define owner_dead(o) (o == ENDED || (o != token && dead[(o == 0 || o == ENDED -> 0 : o - 1)]))

/* The whole word is still what was seen. */
#define unchanged \
    (owner == seen_owner && claiming == seen_claiming && waiters == seen_waiters)

/* A former way: who runs out of time goes, and takes the wake along. */
#ifdef SWALLOW
#define mine false
#else
#define mine slept
#endif

/* A broken way: who was woken forgets that others may sleep still. */
#ifdef FORGET
#define others_sleep false
#else
#define others_sleep slept
#endif

/* shmx_os_wake(1): any of those who sleep. */
inline wake_one()
{
    atomic {
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
#if PROCESSES * THREADS == 4
        :: asleep[3] -> asleep[3] = false
        :: !asleep[0] && !asleep[1] && !asleep[2] && !asleep[3]
#else
        :: !asleep[0] && !asleep[1] && !asleep[2]
#endif
        fi
    }
}

#define look \
    seen_owner = owner; \
    seen_claiming = claiming; \
    seen_waiters = waiters

proctype locker(byte me)
{
    byte process = me / THREADS;
    byte number = me % THREADS + 1; /* within the process */
    byte rounds = ROUNDS;
    byte seen_owner;
    bool seen_claiming, seen_waiters;
    bool slept; /* attempt.waiters */
    bool told;  /* SHMX_EOWNERDEAD */
    {
        skip;
next_round:
        if
        :: goto over
        :: rounds > 0 -> rounds--
        fi;
        d_step { slept = false; told = false };
#ifdef ONCE
        if
        :: once_done -> goto over
        :: else
        fi;
#endif
again:
        atomic { look };
        if
        :: seen_owner == 0 ->
            /* take_free */
            if
            :: d_step {
                unchanged ->
                owner = token;
                waiters = seen_waiters || others_sleep
            }
            :: !unchanged -> goto again
            fi
        :: seen_owner != 0 ->
#ifndef PLAIN
            /* held_by_self: nobody here locks twice */
            if
            :: seen_owner == token && !seen_claiming -> assert(thread != MARK)
            :: else
            fi;
#endif
            /* It is asked about ENDED always, about an owner now and then. */
            if
            :: atomic { owner_dead(seen_owner) -> skip };
                /* take_dead */
                if
                :: d_step {
                    unchanged ->
                    owner = token;
                    waiters = true;
                    told = true;
#ifndef PLAIN
                    claiming = true
#endif
                }
                :: !unchanged -> goto again
                fi
            :: atomic { seen_owner != ENDED -> skip };
                if
                :: me < TIMED -> /* give_up */
                    if
                    :: seen_waiters || !mine -> goto next_round
                    :: else ->
                        if
                        :: atomic { unchanged -> waiters = true; goto next_round }
                        :: !unchanged -> goto again
                        fi
                    fi
                :: true
                fi;
                /* sleep_on */
                if
                :: seen_waiters
                :: else ->
                    if
                    :: d_step { unchanged -> waiters = true; seen_waiters = true }
                    :: !unchanged -> goto again
                    fi
                fi;
                slept = true;
                if
                :: d_step { unchanged -> asleep[me] = true }
                :: !unchanged -> goto again
                fi;
                if
                :: !asleep[me]
                :: d_step { asleep[me] && me < TIMED -> asleep[me] = false }
                :: d_step { /* after a slice */
                    asleep[me] && kills < KILLS &&
                    (owner == 0 || owner_dead(owner) || !unchanged) ->
                    asleep[me] = false
                }
                fi;
                goto again
            fi
        fi;
#ifndef PLAIN
        thread = MARK;
        if
        :: told -> claiming = false
        :: else
        fi;
#endif
        d_step {
            assert(holder == NOBODY);
            assert(told == death_due);
            assert(owner == token && !claiming);
#ifndef PLAIN
            assert(thread == MARK);
#endif
            death_due = false;
            holder = me
        };
#ifdef ONCE
        if
        :: once_done
        :: else ->
            /* init; it may fail. The thread may end in it. */
            if
            :: atomic { ends > 0 -> ends--; goto end_of_thread }
            :: d_step { assert(!once_done); once_done = true }
            :: skip
            fi
        fi;
#else
        /* The critical section, in which a thread may end. */
        if
        :: atomic { ends > 0 -> ends--; goto end_of_thread }
        :: true
        fi;
#endif
        /* shmx_lock_release */
        d_step {
            assert(holder == me && owner == token && !claiming);
            holder = NOBODY;
#ifndef PLAIN
            assert(thread == MARK);
            thread = 0
#endif
        };
        d_step {
            seen_waiters = waiters;
            owner = 0;
            waiters = false
        };
        if
        :: seen_waiters -> wake_one()
        :: else
        fi;
        goto next_round;
end_of_thread:
        /* abandon */
        atomic {
            assert(holder == me && owner == token);
            holder = NOBODY;
            owner = ENDED;
            death_due = true;
            seen_waiters = waiters
        };
        if
        :: seen_waiters -> wake_one()
        :: else
        fi
    } UNTIL_KILLED;
over:
    skip
}

/* Ends processes at any time. */
proctype killer()
{
    byte i;
    do
    :: kills > 0 ->
        atomic {
            i = 0;
            do
            :: i < PROCESSES - 1 -> i++
            :: break
            od;
            if
            :: dead[i]
            :: else ->
                kills--;
                dead[i] = true;
                death_due = death_due || owner == i + 1;
                asleep[i * THREADS] = false;
                asleep[i * THREADS + THREADS - 1] = false;
                if
                :: holder != NOBODY && holder / THREADS == i -> holder = NOBODY
                :: else
                fi
            fi;
            i = 0
        }
    :: break
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < LOCKERS -> run locker(i); i++
        :: else -> break
        od;
#if KILLS > 0
        run killer()
#endif
    }
}
