/* SPDX-License-Identifier: MIT */
/*
 * Sleepers' slots on Windows: src/win32/wait.c, one step for each access to shared memory and each
 * call of the system. A word counts tokens. A sleeper takes one, or sleeps while there is none; a
 * waker adds one and wakes one sleeper. Sleepers may give up at any time if -DTIMES is given, be
 * killed between any two steps (-DKILLS=n of them), or expect a value that the word never has (the
 * last -DFICKLE=n of them), so that they are in a slot for an instant only. One or two slots. Wakers
 * may be killed with -DWAKER_KILLS=n; only then sleepers look up by themselves.
 *
 * Checked, at every end (monitor): no living sleeper sleeps on while its word has a token, unless
 * somebody was killed who had been given the wake while alive; all but the dead have left their
 * slots; and (asserts on the way) a slot is left only by who took it, or for a dead one; and, with
 * -DORDER, no wake goes to one that came later than a living sleeper who has been asleep since
 * before the waker looked. Without it, sleepers of one word have no turns: there is nothing to
 * confuse then.
 *
 * Weaker than the code: a waker wakes one; turns do not wrap.
 */
/* check: -DSLEEPERS=2 -DWAKERS=2 -DSLOTS=2 -DWORDS=1 -DTIMES
   check: -DSLEEPERS=2 -DWAKERS=2 -DSLOTS=2 -DWORDS=2 -DORDER
   check: -DSLEEPERS=2 -DWAKERS=1 -DSLOTS=2 -DWORDS=1 -DORDER
   check: -DSLEEPERS=3 -DWAKERS=1 -DSLOTS=2 -DWORDS=1
   check: -DSLEEPERS=2 -DWAKERS=1 -DSLOTS=2 -DWORDS=1 -DFICKLE=1
   check: -DSLEEPERS=2 -DWAKERS=1 -DSLOTS=2 -DWORDS=1 -DKILLS=1 -DTIMES
   check: -DSLEEPERS=2 -DWAKERS=2 -DSLOTS=2 -DWORDS=1 -DKILLS=1
   check: -DSLEEPERS=2 -DWAKERS=2 -DSLOTS=1 -DWORDS=1 -DKILLS=1
   check: -DSLEEPERS=2 -DWAKERS=1 -DSLOTS=2 -DWORDS=1 -DKILLS=1 -DWAKER_KILLS=1 */
#ifndef KILLS
#define KILLS 0
#endif
#ifndef FICKLE
#define FICKLE 0
#endif
#ifndef WAKER_KILLS
#define WAKER_KILLS 0
#endif

#define FREE 0
#define TAKEN 1
#define WAITING 2
#define WOKEN 3
#define NONE 255

byte word[WORDS];
byte last_turn;

/* The slots. kind, whose and turn are one number and are read and changed together. */
byte kind[SLOTS];
byte whose[SLOTS];
byte turn[SLOTS];
byte offset[SLOTS];
bool event[SLOTS];

/* Known to the checks only. */
bool dead[SLEEPERS];
bool asleep[SLEEPERS];   /* in the call of the system */
bool woken[SLEEPERS];    /* was given a wake and has not looked at the word since */
bool pending[SLEEPERS];  /* ... by a waker who may still take it back */
bool excused[WORDS];
byte kills = KILLS;
byte waker_kills = WAKER_KILLS;

/* Between two steps of a sleeper. */
#define DIE \
    kills--; \
    dead[me] = true; \
    excused[w] = excused[w] || (woken[me] && !pending[me]) || passing; \
    goto over
#if KILLS == 0
#define KILL
#else
#define KILL ; \
    if \
    :: true \
    :: atomic { kills > 0 -> DIE } \
    fi
#endif

#define usable(i) (kind[i] == FREE || dead[whose[i]])
#define free_slot (usable(0) || usable(SLOTS - 1))

/* Between a waker's two steps. */
#if WAKER_KILLS == 0
#define WAKER_KILL
#else
#define WAKER_KILL ; \
    if \
    :: true \
    :: atomic { is_waker && waker_kills > 0 -> waker_kills--; goto over } \
    fi
#endif

/* A compare-and-exchange of slot s. */
inline step(s, from, owner, time, to, done)
{
    d_step {
        done = kind[s] == from && whose[s] == owner && turn[s] == time;
        if
        :: done ->
            kind[s] = to;
            if /* nobody reads it then */
            :: to == FREE -> whose[s] = 0
            :: else
            fi
        :: else
        fi
    }
}

/* The waker's knowledge of those who sleep at the moment when it begins, only for the check. */
#ifdef ORDER
#define sleeps_on(i) (kind[i] == WAITING && asleep[whose[i]] && !dead[whose[i]])
#define note_old(i) old_turn[i] = (sleeps_on(i) && offset[i] == w -> turn[i] : 0)
#define in_order(i) \
    assert(old_turn[i] == 0 || turn[i] != old_turn[i] || !sleeps_on(i) || turn[i] >= list_turn[n])
#endif

/* shmx_os_wake(word w, 1), as far as `left` wakes go. Uses the caller's variables. Each atomic
 * has one access to what is shared, and what the process does with it. */
inline wake()
{
    d_step {
        left = 1; given = NONE; n = 0; count = 0;
#ifdef ORDER
        note_old(0); note_old(SLOTS - 1)
#endif
    };
    do
    :: n < SLOTS ->
        atomic {
            matches = kind[n] == WAITING;
            seen_whose = (matches -> whose[n] : 0);
            seen_turn = (matches -> turn[n] : 0)
        };
        if
        :: d_step {
            matches && offset[n] == w ->
            s = count;
            if
            :: count == 1 && seen_turn < list_turn[0] ->
                list_slot[1] = list_slot[0]; list_whose[1] = list_whose[0];
                list_turn[1] = list_turn[0]; s = 0
            :: else
            fi;
            list_slot[s] = n; list_whose[s] = seen_whose; list_turn[s] = seen_turn;
            count++
        }
        :: atomic { !matches || offset[n] != w -> skip }
        fi;
        n++
    :: else -> break
    od;
    skip;
    d_step { n = 0; matches = false; seen_whose = 0; seen_turn = 0 };
    do
    :: n < count ->
        s = list_slot[n];
        if
        :: left == 0 && given != NONE ->
            /* take_back */
            if
            :: atomic { dead[given_whose] -> left = 1 };
                step(given, WOKEN, given_whose, given_turn, FREE, done)
            :: atomic { !dead[given_whose] -> pending[given_whose] = false }
            fi;
            d_step { given = NONE; given_whose = 0; given_turn = 0 }
        :: else
        fi;
        if
        :: left == 0 -> break
        :: left > 0 ->
            d_step {
                done = kind[s] == WAITING && whose[s] == list_whose[n] && turn[s] == list_turn[n];
                if
                :: done ->
                    assert(offset[s] == w);
#ifdef ORDER
                    in_order(0); in_order(SLOTS - 1);
#endif
                    kind[s] = WOKEN;
                    woken[whose[s]] = KILLS > 0;
                    pending[whose[s]] = KILLS > 0;
                    given = s;
                    given_whose = whose[s];
                    given_turn = turn[s];
                    left = 0
                :: else
                fi
            };
            if
            :: done ->
                skip WAKER_KILL;
                event[s] = true
            :: else
            fi
        fi;
        n++
    :: else -> break
    od;
    /* Nobody else wants it: it is theirs now. */
    skip;
    d_step {
        if
        :: given != NONE -> pending[given_whose] = false
        :: else
        fi;
        given = NONE; given_whose = 0; given_turn = 0; left = 0; s = 0; done = false;
        n = 0;
        do
        :: n < SLOTS -> list_slot[n] = 0; list_whose[n] = 0; list_turn[n] = 0; n++
        :: else -> break
        od;
        n = 0; count = 0
    }
}

#define WAKE_VARIABLES \
    byte left, given, given_whose, given_turn, n, s, count, seen_whose, seen_turn; \
    byte list_slot[SLOTS], list_whose[SLOTS], list_turn[SLOTS]; \
    byte old_turn[SLOTS]; \
    bool matches, done

proctype sleeper(byte me)
{
    WAKE_VARIABLES;
    bool is_waker = false;
    byte w = me % WORDS;
    bool fickle = me >= SLEEPERS - FICKLE;
    byte mine, my_turn;
    bool slept, gave_up, was_woken;
    bool passing = false; /* it is about to give on a wake that it did not need */
    byte tries = 2;       /* of a fickle one */
again:
    skip KILL;
    if
    :: fickle && tries == 0 -> goto over
    :: fickle && tries > 0 -> tries--; woken[me] = false
    :: !fickle ->
        atomic { /* take a token */
            woken[me] = false;
            if
            :: word[w] > 0 -> word[w]--; goto over
            :: else
            fi
        }
    fi;
#ifdef ORDER
    atomic { last_turn++; my_turn = last_turn };
#endif
take:
    skip;
    /* slot_take */
    d_step { mine = NONE; n = 0 };
    do
    :: n < SLOTS && mine == NONE ->
        d_step {
            if
            :: kind[n] == FREE ->
                kind[n] = TAKEN;
                whose[n] = me;
                turn[n] = my_turn;
                mine = n
            :: else
            fi;
            n++
        }
        KILL
    :: else -> break
    od;
    n = 0;
    if
    :: mine == NONE ->
        /* slots_reclaim */
        do
        :: n < SLOTS ->
            d_step {
                left = kind[n];
                seen_whose = whose[n];
                seen_turn = turn[n]
            };
            if
            :: left != FREE && dead[seen_whose] ->
                step(n, left, seen_whose, seen_turn, FREE, done)
            :: else
            fi;
            d_step { n++; left = 0; seen_whose = 0; seen_turn = 0; done = false }
        :: else -> break
        od;
        n = 0;
        /* slot_await: not asleep for long. Guarded, so that there is an end to look at. */
end_alone:
        if
        :: atomic { word[w] > 0 -> my_turn = 0; goto again }
        :: atomic { word[w] == 0 && free_slot -> goto take }
        fi
    :: else
    fi;
    offset[mine] = w KILL;
    assert(kind[mine] == TAKEN && whose[mine] == me && turn[mine] == my_turn);
    kind[mine] = WAITING KILL;
    gave_up = false;
    slept = word[w] == 0 && !fickle;
    if
    :: slept ->
        do
        :: atomic { word[w] > 0 -> break }
        :: else ->
            asleep[me] = true;
end_asleep:
            if
            :: atomic { event[mine] -> event[mine] = false; asleep[me] = false }
#ifdef TIMES
            :: atomic { asleep[me] = false; gave_up = true }; break
#endif
            /* Looks up. Guarded, so that there is an end to look at. */
            :: atomic {
                WAKER_KILLS > waker_kills && (word[w] > 0 || kind[mine] != WAITING) ->
                asleep[me] = false
            }
            :: atomic { kills > 0 -> DIE } /* in its sleep */
            fi;
            if
            :: kind[mine] != WAITING || whose[mine] != me || turn[mine] != my_turn -> break
            :: else
            fi
        od
    :: else
    fi KILL;
    /* slot_leave */
    step(mine, WAITING, me, my_turn, FREE, done);
    was_woken = !done;
    if
    :: was_woken ->
        skip KILL;
        step(mine, WOKEN, me, my_turn, FREE, done);
        assert(done)
    :: else
    fi;
    if
    :: was_woken && !slept ->
        passing = true;
        wake();
        passing = false;
        woken[me] = false
    :: else
    fi;
    d_step { done = false; slept = false; mine = NONE; my_turn = 0 };
    if
    :: atomic { gave_up && !was_woken -> goto over }
    :: atomic { else -> gave_up = false; was_woken = false; goto again }
    fi;
over:
    asleep[me] = false
}

proctype waker(byte me)
{
    WAKE_VARIABLES;
    bool is_waker = true;
    byte w = me % WORDS;
    word[w] = word[w] + 1 WAKER_KILL;
    wake();
over:
    skip
}

/* When nothing moves any more. */
active proctype monitor()
{
    byte i;
    atomic {
        i = 0;
        do
        :: i < SLEEPERS -> run sleeper(i); i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < WAKERS -> run waker(i); i++
        :: else -> break
        od
    };
    timeout ->
    d_step {
        i = 0;
        do
        :: i < SLEEPERS ->
            assert(dead[i] || !asleep[i] || word[i % WORDS] == 0 || excused[i % WORDS]);
            i++
        :: else -> break
        od;
        i = 0;
        do
        :: i < SLOTS ->
            assert(kind[i] == FREE || dead[whose[i]] || asleep[whose[i]]);
            i++
        :: else -> break
        od
    }
}
