/* SPDX-License-Identifier: MIT */
/*
 * The robust lock: src/mutex.c, one step for each access to the lock, over a wait and a wake that
 * work as shmx_os_wait and shmx_os_wake promise. Each process has THREADS threads that share its
 * attachment, and so its token; marks of threads are different in all processes (with
 * -DMARK=number, the numbers of one process are those of another, and a thread believes that it
 * holds what another does). Every thread locks and unlocks ROUNDS times. Whole processes are
 * killed between any two steps, KILLS of them.
 *
 * A sleeper looks for itself (after SHMX_SLICE) only when somebody was killed: as long as nobody
 * is, the algorithm must do without. Checked:
 *
 *   - no two owners: assert at the entry of the critical section;
 *   - the death of an owner is told to one successor, and only after a death: asserts there too;
 *   - nobody is told that he holds what he does not, or the other way round: asserts at SHMX_EDEADLK
 *     and SHMX_EPERM, neither of which can be right here;
 *   - no lost wake-up: spin's own check that nobody is stuck.
 */
/* check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=2 -DKILLS=0
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DKILLS=0
   check: -DPROCESSES=3 -DTHREADS=1 -DROUNDS=1 -DKILLS=2
   check: -DPROCESSES=2 -DTHREADS=2 -DROUNDS=1 -DKILLS=1 */
#define ALL (PROCESSES * THREADS)
#define NOBODY 255

/* The lock. owner, claiming and waiters are one word, read and changed together. */
byte owner; /* token: 1 + process; 0: free */
bool claiming;
bool waiters;
byte thread;

/* The system. */
bool dead[PROCESSES];
bool asleep[ALL];
bool woken[ALL];
byte kills = KILLS;

/* What only the checks know. */
byte holder = NOBODY; /* the thread in the critical section */
bool death_due;       /* an owner has died whose death nobody was told of */

#define token (process + 1)
#ifndef MARK
#define MARK (me + 1)
#endif

/* A process that was killed makes no further step. */
#define ALIVE dead[process] -> goto over

/* The whole word is still what was seen. */
#define unchanged \
    (owner == seen_owner && claiming == seen_claiming && waiters == seen_waiters)

#define sleeps(x) (asleep[x] && !dead[(x) / THREADS] && !woken[x])

/* shmx_os_wake(1): any of those who sleep. */
inline wake_one()
{
    if
    :: sleeps(0) -> woken[0] = true
    :: sleeps(1) -> woken[1] = true
    :: sleeps(2) -> woken[2] = true
#if PROCESSES * THREADS == 4
    :: sleeps(3) -> woken[3] = true
    :: !sleeps(0) && !sleeps(1) && !sleeps(2) && !sleeps(3)
#else
    :: !sleeps(0) && !sleeps(1) && !sleeps(2)
#endif
    fi
}

proctype locker(byte me)
{
    byte process = me / THREADS;
    byte number = me % THREADS + 1; /* within the process */
    byte rounds = ROUNDS;
    byte seen_owner;
    bool seen_claiming, seen_waiters;
    bool slept;    /* attempt.waiters */
    bool asked;    /* attempt.ask_at is in the future */
    bool told;     /* SHMX_EOWNERDEAD */
next_round:
    if
    :: rounds == 0 -> goto over
    :: else -> rounds--
    fi;
    d_step { slept = false; asked = false; told = false };
again:
    if
    :: ALIVE
    :: d_step {
        else ->
        seen_owner = owner;
        seen_claiming = claiming;
        seen_waiters = waiters
    }
    fi;
    if
    :: seen_owner == 0 ->
        /* take_free */
        if
        :: ALIVE
        :: d_step {
            !dead[process] && unchanged ->
            owner = token;
            claiming = false;
            waiters = seen_waiters || slept
        }
        :: atomic { !dead[process] && !unchanged -> goto again }
        fi;
        if
        :: ALIVE
        :: d_step { else -> thread = MARK }
        fi
    :: else ->
        /* held_by_self: nobody here locks twice */
        if
        :: ALIVE
        :: d_step {
            else -> assert(seen_claiming || thread != MARK || seen_owner != token)
        }
        fi;
        if
        :: atomic { !asked && seen_owner != token && dead[seen_owner - 1] ->
            /* take_dead */
            if
            :: ALIVE
            :: else
            fi
        };
            if
            :: ALIVE
            :: d_step {
                !dead[process] && unchanged ->
                owner = token;
                claiming = true;
                waiters = true
            }
            :: atomic { !dead[process] && !unchanged -> goto again }
            fi;
            if
            :: ALIVE
            :: d_step { else -> thread = MARK }
            fi;
            if
            :: ALIVE
            :: d_step { else -> claiming = false; told = true }
            fi
        :: atomic { asked || seen_owner == token || !dead[seen_owner - 1] -> asked = true };
            /* sleep_on */
            if
            :: ALIVE
            :: atomic { !dead[process] && seen_waiters -> skip }
            :: atomic { !dead[process] && !seen_waiters && unchanged ->
                waiters = true;
                seen_waiters = true
            }
            :: atomic { !dead[process] && !seen_waiters && !unchanged -> goto again }
            fi;
            slept = true;
            if
            :: ALIVE
            :: d_step { !dead[process] && unchanged -> asleep[me] = true; woken[me] = false }
            :: atomic { !dead[process] && !unchanged -> asked = false; goto again }
            fi;
            if
            :: ALIVE
            :: d_step { woken[me] -> asleep[me] = false; woken[me] = false }
            /* After a slice. */
            :: d_step {
                kills < KILLS && (owner == 0 || dead[owner - 1] || !unchanged) ->
                asleep[me] = false;
                woken[me] = false;
                asked = false
            }
            fi;
            goto again
        fi
    fi;
    if
    :: ALIVE
    :: else
    fi;
    atomic {
        if
        :: ALIVE
        :: else
        fi;
        assert(holder == NOBODY);
        assert(told == death_due);
        assert(owner == token && thread == MARK && !claiming);
        death_due = false;
        holder = me
    };
    /* The critical section; then shmx_lock_release. */
    atomic {
        if
        :: ALIVE
        :: else
        fi;
        assert(holder == me && owner == token && !claiming && thread == MARK);
        holder = NOBODY;
        thread = 0
    };
    if
    :: ALIVE
    :: d_step {
        else ->
        seen_waiters = waiters;
        owner = 0;
        claiming = false;
        waiters = false
    }
    fi;
    if
    :: seen_waiters ->
        atomic {
            if
            :: ALIVE
            :: else
            fi;
            wake_one()
        }
    :: else
    fi;
    goto next_round;
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
            :: dead[i] || kills == 0 -> skip
            :: else ->
                kills--;
                dead[i] = true;
                death_due = death_due || owner == i + 1;
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
        i = 0;
        do
        :: i < ALL -> run locker(i); i++
        :: else -> break
        od;
        run killer()
    }
}
