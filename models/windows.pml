/* SPDX-License-Identifier: MIT */
/*
 * The owner of a name on Windows: src/win32/chain.c and object.c, one step for each call of the system.
 * Every process creates, opens and unlinks one name, and may be killed between any two calls; then
 * the system closes its handles one by one, in any order. Checked:
 *
 *   - a segment that gets the name is the only one that has it, but for those whose users are all
 *     being cleared away (assert in unseal);
 *   - who attaches has a segment that was complete, and had the name in that instant (attach);
 *   - who finds nothing under the lock has overlooked nothing (nothing_there);
 *   - nobody waits for ever (spin's invalid end states), and when all is over no section and no
 *     index is left (the last assert).
 */
/* check: -DPROCESSES=3 -DROUNDS=1
   check: -DPROCESSES=2 -DROUNDS=3 */
#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#define SECTIONS (PROCESSES * ROUNDS)
#define NONE 255

byte named[SECTIONS + 1] = NONE; /* the section called NAME, NAME#1, ... */
byte handles[SECTIONS];          /* who has it open, one bit for each process */
bool sealed[SECTIONS];
bool live[SECTIONS]; /* the state word */
byte index_users;    /* who has the index open for a numbered section of his */
byte index_lookers;  /* ... while he holds the lock */
byte index_number;
byte lock;  /* 1 + process */
byte dying; /* killed, not all handles closed */
byte made;
byte ended;

#define me (1 << _pid)
#define self (_pid + 1)
#define no_index (index_users == 0 && index_lookers == 0)

/* Names and numbers go with the last handle. */
inline close_section(s)
{
    d_step {
        if
        :: s != NONE ->
            handles[s] = handles[s] & ~me;
            i = 0;
            do
            :: i <= SECTIONS ->
                if
                :: named[i] == s && handles[s] == 0 -> named[i] = NONE
                :: else
                fi;
                i++
            :: else -> break
            od;
            i = 0
        :: else
        fi;
        s = NONE
    }
}

inline close_index(mask)
{
    d_step {
        mask = mask & ~me;
        if
        :: no_index -> index_number = 0
        :: else
        fi
    }
}

#define KILL if \
    :: skip \
    :: goto killed \
    fi

inline take_lock()
{
    atomic { lock == 0 -> lock = self }
    KILL;
    d_step {
        highest = index_number;
        if
        :: !no_index -> index_lookers = index_lookers | me
        :: else
        fi
    }
    KILL
}

inline give_lock()
{
    close_index(index_lookers);
    KILL;
    lock = 0;
    KILL
}

/* Of sections whose users are not all dying, none other than `own` is live. */
inline none_but(own)
{
    d_step {
        i = 0;
        do
        :: i < SECTIONS ->
            assert(i == own || !live[i] || (handles[i] & ~dying) == 0);
            i++
        :: else -> break
        od;
        i = 0
    }
}

/* Under the lock: seen is the live section, open; or NONE. */
inline find()
{
    number = 0;
    do
    :: number > highest -> break
    :: else ->
        /* Open it. A sealed one has a dead maker: wait. */
        atomic {
            named[number] == NONE || !sealed[named[number]] ->
            d_step {
                seen = named[number];
                if
                :: seen != NONE -> handles[seen] = handles[seen] | me
                :: else
                fi
            }
        }
        KILL;
        if
        :: seen != NONE && live[seen] -> break
        :: else
        fi;
        close_section(seen);
        KILL;
        number++
    od
}

/* CreateFileMapping: object is a new section of that number, or NONE. */
inline add(wanted)
{
    d_step {
        if
        :: named[wanted] == NONE ->
            object = made;
            made++;
            named[wanted] = object;
            handles[object] = me;
            sealed[object] = true
        :: else -> object = NONE
        fi
    }
    KILL
}

inline add_lowest()
{
    number = 0;
    do
    :: object != NONE -> break
    :: else ->
        if
        :: number > 0 ->
            d_step {
                index_users = index_users | me;
                if
                :: index_number < number -> index_number = number
                :: else
                fi
            }
            KILL
        :: else
        fi;
        add(number);
        if
        :: object == NONE && number > highest ->
            (named[number] == NONE); /* settle */
            KILL;
            add(number);
            assert(object != NONE)
        :: else
        fi;
        if
        :: object == NONE ->
            close_index(index_users);
            KILL;
            number++
        :: else
        fi
    od
}

proctype process()
{
    byte object = NONE; /* made or attached to */
    byte seen = NONE;   /* opened to look at */
    byte highest, number, i;
    byte round = 0;
again:
    skip;
    KILL;
    if
    :: round == ROUNDS -> goto over
    :: else -> round++
    fi;
    if
    :: goto create
    :: goto open
    fi;

create:
    skip;
    take_lock();
    find();
    if
    :: seen != NONE -> /* SHMX_EEXIST */
        close_section(seen);
        KILL;
        give_lock();
        goto again
    :: else
    fi;
    add_lowest();
    none_but(object);
    d_step { live[object] = true; sealed[object] = false }
    KILL;
    give_lock();
    goto use;

open:
    skip;
    /* Without the lock. */
    d_step {
        seen = named[0];
        if
        :: seen != NONE && sealed[seen] -> seen = NONE
        :: seen != NONE && !sealed[seen] -> handles[seen] = handles[seen] | me
        :: else
        fi
    }
    KILL;
    if
    :: seen != NONE && live[seen] -> goto attach
    :: else
    fi;
    close_section(seen);
    KILL;
    take_lock();
    find();
    if
    :: seen == NONE -> goto nothing_there
    :: else
    fi;
    d_step {
        if
        :: number > 0 -> index_users = index_users | me
        :: else
        fi
    }
    KILL;
    give_lock();
    goto joined;
nothing_there:
    skip;
    none_but(NONE);
    give_lock();
    goto again;

attach:
    assert(!sealed[seen]);
joined:
    skip;
    d_step { object = seen; seen = NONE }

use:
    assert((handles[object] & me) != 0);
    if
    :: live[object] = false /* shmx_unlink, by whoever has it open */
    :: skip
    fi;
    KILL;
    close_section(object);
    KILL;
    close_index(index_users);
    goto again;

killed:
    dying = dying | me;
    do
    :: lock == self -> lock = 0
    :: object != NONE -> close_section(object)
    :: seen != NONE -> close_section(seen)
    :: (index_users & me) != 0 -> close_index(index_users)
    :: (index_lookers & me) != 0 -> close_index(index_lookers)
    :: lock != self && object == NONE && seen == NONE && ((index_users | index_lookers) & me) == 0 ->
        break
    od;
over:
    skip;
    d_step {
        ended++;
        i = 0;
        do
        :: i <= SECTIONS ->
            assert(ended < PROCESSES || named[i] == NONE);
            i++
        :: else -> break
        od;
        assert(ended < PROCESSES || no_index)
    }
}

init {
    atomic {
        byte i = 0;
        do
        :: i < PROCESSES -> run process(); i++
        :: else -> break
        od
    }
}
