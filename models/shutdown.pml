/* SPDX-License-Identifier: MIT */
/*
 * The end of a queue or topic by a shutdown: two senders, each of which may die at any step, one
 * that shuts down, and a reader that takes what there is until it is told that there is no more. A
 * sender puts a message in whole under the lock, or reserves it there and commits it later.
 *
 * What is checked: once the reader was told of the end, nothing that it has not taken ever comes.
 * And it is told at last, whoever dies.
 *
 * Left out: rings and places, which are queue.pml's and topic.pml's; the order of messages; waiting,
 * which is waiting.pml's; memory that is seen in another order. A reader may wait for ever for a
 * living sender that never commits: here each goes on or dies.
 *
 * check: -DROUNDS=3
 * check: -DROUNDS=3 -DREADS
 *
 * A sender that does not look under the lock; a reader that does not let the lock pass once; one
 * that does not wait for reservations:
 * fails: -DBLIND
 * fails: -DUNPASSED
 * fails: -DREADS -DUNPASSED
 * fails: -DIMPATIENT
 */
#ifdef BLIND
#define seen_over false
#else
#define seen_over over
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif

#define NOBODY 3
#define READER 2

bool over;
byte owner = NOBODY;
bool dead[2];
bool reserved[2];
byte messages;
bool told;

#ifdef IMPATIENT
#define begun false
#else
#define begun ((reserved[0] && !dead[0]) || (reserved[1] && !dead[1]))
#endif
#define lock_takes (owner == NOBODY || (owner < READER && dead[owner]))

/* One step, or death instead of it. */
inline die()
{
    dead[me] = true;
    goto end
}

proctype sender(byte me)
{
    byte round;
    do
    :: round == ROUNDS -> break
    :: round < ROUNDS ->
        if
        :: over -> break
        :: !over
        :: die()
        fi;
        if
        :: atomic { lock_takes -> owner = me }
        :: die()
        fi;
        if
        :: seen_over -> atomic { owner = NOBODY }; break
        :: !seen_over
        :: die()
        fi;
        if
        :: messages++; /* whole */
            if
            :: owner = NOBODY
            :: die()
            fi
        :: reserved[me] = true;
            if
            :: owner = NOBODY
            :: die()
            fi;
            if
            :: atomic { reserved[me] = false; messages++ }
            :: die()
            fi
        :: die()
        fi;
        round++
    od;
end:
    skip
}

proctype stopper()
{
    over = true
}

/* Has the lock been free, or been given up by the dead, since the end was seen? */
inline pass()
{
#ifdef UNPASSED
    skip
#else
#ifdef READS /* it may not write */
    lock_takes
#else
    atomic { lock_takes -> owner = READER };
    owner = NOBODY
#endif
#endif
}

proctype reader()
{
    bool end_seen;
    do
    :: atomic { messages > 0 -> messages-- }
    :: atomic { messages == 0 -> end_seen = over };
        if
        :: !end_seen
        :: end_seen ->
            pass();
            if
            :: atomic { messages > 0 -> messages-- }
            :: atomic { messages == 0 && begun }
            :: atomic { messages == 0 && !begun -> told = true; break }
            fi
        fi
    od
}

init
{
    atomic { run sender(0); run sender(1); run stopper(); run reader() };
    /* The reader and all others have come to their end. */
    (_nr_pr == 1);
    assert(told && messages == 0)
}
