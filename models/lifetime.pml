/* SPDX-License-Identifier: MIT */
/*
 * The life of names on Linux: src/posix/ofd/object.c, one step for each call of the system. Every
 * process creates, opens and unlinks one name, and may be killed between any two calls. Beside them
 * a neighbour who may only read holds a read lock on byte NAME of any object, and drops it, at any
 * time. Then a remover takes a read lock there as well, and the write lock of the object's annex
 * (annex.c; making and finding it is one step here). Checked:
 *
 *   - whoever removes the name removes the object that it holds the lock of, never a successor
 *     (assert in remove_name);
 *   - but for shmx_unlink, nobody removes the name of an object that another uses (same place);
 *   - who opens has an object that had its name when it was a user of it already (the last step of open);
 *   - when all is over and nobody was killed, no name is left (assert at the end).
 */
/* check: -DPROCESSES=3 -DROUNDS=1 -DWATCHES=0
   check: -DPROCESSES=2 -DROUNDS=3
   fails: -DPROCESSES=2 -DROUNDS=2 -DWITHOUT_ANNEX
   fails: -DPROCESSES=2 -DROUNDS=2 -DWITHOUT_MINDING */
#ifndef PROCESSES
#define PROCESSES 3
#endif
#ifndef ROUNDS
#define ROUNDS 1
#endif
#ifndef WATCHES
#define WATCHES 255
#endif
#define OBJECTS (PROCESSES * ROUNDS)
#define NONE 255

byte name = NONE;           /* the object that the name leads to */
bool linked[OBJECTS];       /* fstat: st_nlink > 0 */
byte readers[OBJECTS];      /* read locks on byte USER, one bit for each process */
byte writer[OBJECTS];       /* 1 + process: write lock on byte USER */
byte remover[OBJECTS];      /* 1 + process: write lock on byte NAME */
byte minders[OBJECTS];      /* read locks on byte NAME, one bit for each process */
bool watched[OBJECTS];      /* the neighbour's */
byte annex[OBJECTS];        /* 1 + process: write lock on the annex's byte NAME */
bool called[OBJECTS];       /* shmx_unlink took its name */
byte made;
byte ended;
bool killed;

#define me (1 << _pid)
#define self (_pid + 1)
#define others(o) (readers[o] & ~me)
#define free_for_me(lock) (lock == 0 || lock == self)

/* The kernel's dealing with the locks of a process on an object when its descriptor goes. */
inline drop(o)
{
    readers[o] = readers[o] & ~me;
    if
    :: writer[o] == self -> writer[o] = 0
    :: else
    fi;
    if
    :: remover[o] == self -> remover[o] = 0
    :: else
    fi;
    minders[o] = minders[o] & ~me;
    if
    :: annex[o] == self -> annex[o] = 0
    :: else
    fi
}

/* Between two calls. A process may hold locks of one object that it made and of one it looks at. */
#define KILL(own, seen) \
    if \
    :: skip \
    :: d_step { \
        killed = true; \
        if \
        :: own != NONE -> drop(own) \
        :: else \
        fi; \
        if \
        :: seen != NONE -> drop(seen) \
        :: else \
        fi \
    }; goto over \
    fi

#define name_is_free(o) (free_for_me(remover[o]) && (minders[o] & ~me) == 0 && !watched[o])

/* The write lock on both bytes: only if nobody else has any on them. */
inline lock_both(o, got)
{
    d_step {
        got = false;
        if
        :: others(o) == 0 && free_for_me(writer[o]) && name_is_free(o) ->
            readers[o] = readers[o] & ~me;
            writer[o] = self;
            remover[o] = self;
            got = true
        :: else
        fi
    }
}

/* A reader is in the way at byte NAME: a read lock there, then the annex. */
inline lock_past_reader(own, o, got)
{
    d_step {
        got = free_for_me(remover[o]);
#ifndef WITHOUT_MINDING
        if
        :: got -> minders[o] = minders[o] | me
        :: else
        fi
#endif
    }
    KILL(own, o);
#ifndef WITHOUT_ANNEX
    if
    :: got ->
        d_step {
            got = free_for_me(annex[o]);
            if
            :: got -> annex[o] = self
            :: else
            fi
        }
    :: else
    fi
#endif
}

/* shmx_ofd_removal_begin, of the last user or of a dead one's remover. */
inline begin_last(own, o, got)
{
    lock_both(o, got);
    if
    :: got
    :: else ->
        KILL(own, o);
        d_step {
            got = others(o) == 0 && free_for_me(writer[o]);
            if
            :: got ->
                readers[o] = readers[o] & ~me;
                writer[o] = self
            :: else
            fi
        }
        KILL(own, o);
        if
        :: got -> lock_past_reader(own, o, got)
        :: else
        fi
    fi
}

/* fstat, then shm_unlink. `sole`: whoever uses it would lose its name. */
inline remove_name(own, o, sole)
{
    if
    :: linked[o] ->
        KILL(own, o);
        d_step {
            assert(name == o);
            assert(!sole || others(o) == 0);
            name = NONE;
            linked[o] = false;
            called[o] = !sole
        }
    :: else
    fi
}

inline bury(own, o)
{
    begin_last(own, o, got);
    KILL(own, o);
    if
    :: got -> remove_name(own, o, true)
    :: else
    fi
}

proctype process()
{
    byte object = NONE; /* made or used */
    byte seen = NONE;   /* opened, to look at */
    bool got, creator;
    byte round = 0;
again:
    skip;
    KILL(object, seen);
    if
    :: round == ROUNDS -> goto over
    :: else -> round++
    fi;
    if
    :: goto create
    :: goto open
    :: goto unlink
    fi;

create:
    skip;
    d_step { object = made; made++; readers[object] = me; creator = true }
publish:
    skip;
    KILL(object, seen);
    d_step {
        got = name == NONE;
        if
        :: got -> name = object; linked[object] = true
        :: else -> seen = name
        fi
    }
    if
    :: got -> goto use
    :: else
    fi;
    KILL(object, seen);
    if
    :: writer[seen] != 0 -> drop(seen); seen = NONE; goto publish /* moving */
    :: writer[seen] == 0 && readers[seen] != 0 -> goto give_up    /* alive: SHMX_EEXIST */
    :: writer[seen] == 0 && readers[seen] == 0
    fi;
    KILL(object, seen);
    bury(object, seen);
    d_step { drop(seen); seen = NONE }
    goto publish;
give_up:
    skip;
    d_step { drop(seen); seen = NONE; drop(object); object = NONE; creator = false }
    goto again;

open:
    seen = name;
    if
    :: seen == NONE -> goto again /* SHMX_ENOENT */
    :: else
    fi;
    KILL(object, seen);
    if
    :: writer[seen] != 0 -> seen = NONE; goto open
    :: writer[seen] == 0 && readers[seen] != 0
    :: writer[seen] == 0 && readers[seen] == 0 ->
        KILL(object, seen);
        bury(object, seen);
        d_step { drop(seen); seen = NONE }
        if
        :: got -> goto again /* SHMX_ENOENT */
        :: else -> goto open
        fi
    fi;
    KILL(object, seen);
    d_step {
        /* F_OFD_SETLK: another's write lock refuses it. */
        got = free_for_me(writer[seen]);
        if
        :: got ->
            object = seen;
            readers[object] = readers[object] | me
        :: else
        fi;
        seen = NONE
    }
    if
    :: got
    :: else -> goto open
    fi;
    KILL(object, seen);
    if
    :: linked[object] -> goto use
    :: else -> /* fstat: it has lost its name meanwhile */
        d_step { drop(object); object = NONE }
        goto open
    fi;

use:
    assert(linked[object] || called[object]);
    KILL(object, seen);
    if
    :: creator -> lock_both(object, got)
    :: got = false
    fi;
    if
    :: got -> goto last
    :: else
    fi;
    KILL(object, seen);
    drop(object);
    KILL(object, seen);
    if
    :: readers[object] != 0 || writer[object] != 0 -> goto left
    :: else
    fi;
    KILL(object, seen);
    begin_last(seen, object, got);
    if
    :: got
    :: else -> goto left
    fi;
last:
    skip;
    KILL(object, seen);
    remove_name(seen, object, true);
left:
    skip;
    d_step { drop(object); object = NONE; creator = false }
    goto again;

unlink:
    seen = name;
    if
    :: seen == NONE -> goto again /* SHMX_ENOENT */
    :: else
    fi;
    KILL(object, seen);
    if
    :: writer[seen] != 0 -> seen = NONE; goto unlink
    :: writer[seen] == 0 && readers[seen] != 0
    :: writer[seen] == 0 && readers[seen] == 0 ->
        KILL(object, seen);
        bury(object, seen);
        d_step { drop(seen); seen = NONE }
        if
        :: got -> goto again /* SHMX_ENOENT */
        :: else -> goto unlink
        fi
    fi;
    KILL(object, seen);
    d_step {
        got = name_is_free(seen);
        if
        :: got -> remover[seen] = self
        :: else
        fi
    }
    if
    :: got
    :: else ->
        KILL(object, seen);
        lock_past_reader(object, seen, got)
    fi;
    KILL(object, seen);
    if
    :: got -> remove_name(object, seen, false)
    :: else
    fi;
    d_step { drop(seen); seen = NONE }
    goto again;

over:
    skip;
    d_step {
        ended++;
        /* Nobody is left: what has a name was left by one who was killed. */
        assert(ended < PROCESSES || killed || name == NONE)
    }
}

/* It holds the lock of the object that has the name, or had it, where no write lock is; so often, or
 * (255) without end. */
proctype neighbour()
{
    byte o, times;
    do
    :: ended == PROCESSES -> break
    :: times == WATCHES -> break
    :: d_step {
        name != NONE && remover[name] == 0 && ended != PROCESSES && times != WATCHES ->
            o = name;
            watched[o] = true;
            if
            :: WATCHES != 255 -> times++
            :: else
            fi
    };
    d_step { watched[o] = false; o = 0 }
    od
}

init {
    atomic {
        byte i = 0;
        do
        :: i < PROCESSES -> run process(); i++
        :: else -> break
        od;
        run neighbour()
    }
}
