/* SPDX-License-Identifier: MIT */
/*
 * The records of a queue and its deaths: src/queue/{quick,sending,receiving,ring}.c. Two
 * producers, of which the second may die before any step, and two consumers, of which the second
 * may die before any step. A producer sends, or reserves and commits. A consumer copies under the
 * lock, or reads in place, as the holder of the record at head or by a mark on its record, and
 * then releases it; one of them, once, closes instead.
 *
 * Checked: no message is lost; none is taken twice but by a dead consumer and its successor; a
 * record that is read is the reader's own to its end, and head stays before it; locks of the dead
 * are taken over.
 *
 * One step for each store, and for each load that others may come between: a record's state and
 * the question whether its owner lives are two steps. What is loaded and stored under a lock, and
 * by its owners only, is one step with its neighbour. A death is another way to go on instead of a
 * step, and so needs no states of its own.
 *
 * Left out: room, and so the ring's end and what waits for it (records are numbered, and there is
 * one for each message); cancelled reservations; messages of different lengths. Each sender wakes
 * all sleepers where the code wakes one: that one is enough is what waiting.pml checks. The slice
 * after which a sleeper looks for itself passes after a death only. Both consumers never close in
 * one run, which would be 60 million states.
 */
/* check: -DCLOSES=2
   check: -DCLOSES=3

   A tail that is not repaired; a mark of the dead that stays; one that is taken back though it was
   released meanwhile; a holder that is dead and stays; one that is said after the record is passed:
   fails: -DTAIL_LEFT
   fails: -DTAKEN_LEFT
   fails: -DSTORED
   fails: -DHOLDER_LEFT
   fails: -DHOLDER_LATE */
#ifndef CLOSES
#define CLOSES NOBODY
#endif

#define EMPTY 0
#define COMMITTED 1
#define CANCELLED 2
#define FREE 3
#define RESERVED 16 /* + owner */
#define TAKEN 32    /* + owner */
#define NOBODY 15
#define kind(word) ((word) & 48)
#define owner(word) ((word) & 15)

#define RECORDS 2 /* one of each producer at most */

byte state[RECORDS + 1];
byte from[RECORDS + 1]; /* which producer's it is */
byte tail, next, head;
byte holder = NOBODY; /* of the record at head */
bool returned;

byte producers_lock = NOBODY, consumers_lock = NOBODY;
bool sleepers; /* the event is armed: somebody may sleep */
byte event;

bool dead[4];      /* 0, 1: producers; 2, 3: consumers */
bool sent[2];      /* the producer's send has returned */
byte delivered[2]; /* how often its message was released */
bool finished[2];  /* the producer does nothing more */
bool gone;         /* consumer 3 does nothing more */

/* A step, or death instead. Only the odd ones die. */
#define OR_DIE :: atomic { me % 2 == 1 -> dead[me] = true; goto died }
#define STEP(what) if :: what OR_DIE fi

/* It is free, or held by a dead one: then the caller repairs. */
#define may_take(lock) (lock == NOBODY || dead[lock])

inline tell() {
    STEP(d_step {
        if
        :: sleepers -> sleepers = false; event++
        :: else
        fi
    })
}

proctype producer(byte me) {
    byte place;
    STEP(d_step {
        may_take(producers_lock) -> producers_lock = me;
#ifndef TAIL_LEFT /* The tail of one that died is put in order. */
        do
        :: state[tail] != EMPTY -> tail++
        :: else -> break
        od;
#endif
        place = tail;
        from[place] = me
    });
    if
    :: STEP(state[place] = COMMITTED); /* send */
       STEP(tail = place + 1);
       STEP(d_step { producers_lock = NOBODY; sent[me] = true })
    :: STEP(state[place] = RESERVED + me); /* reserve, commit */
       STEP(tail = place + 1);
       STEP(producers_lock = NOBODY);
       STEP(d_step {
           assert(state[place] == RESERVED + me);
           state[place] = COMMITTED;
           sent[me] = true
       })
    fi;
    tell();
died:
    finished[me] = true
}

/* ---- under the consumers' lock ---- */

inline unlock() {
    STEP(d_step { consumers_lock = NOBODY; ask = false; seen = 0; scan = 0; held = false })
}

/* shmx_queue_advance. What it loads goes one way only, and it stores once: one step. */
inline advance() {
    do
    :: holder == NOBODY && head < next && (state[head] == FREE || state[head] == CANCELLED) ->
        head++
    :: else -> break
    od;
    skip
}

/* The owner that was seen in a state is dead: the state becomes `after`, unless it is not what was
 * seen any more. */
inline settle(place, after) {
    d_step {
#ifdef STORED
        state[place] = after;
#else
        if
        :: state[place] == seen -> state[place] = after
        :: else
        fi;
#endif
        seen = state[place]
    }
}

/* What was seen at `scan`, which lies before next. */
inline classify() {
    if
    :: seen == COMMITTED && !held -> found = scan; returned = true
    :: else -> scan++
    fi;
    seen = EMPTY;
    held = false
}

inline find_returned() {
    STEP(returned = false);
    d_step { scan = head; seen = holder; held = (seen != NOBODY) };
    if
#ifndef HOLDER_LEFT
    :: ask && held && dead[seen] -> STEP(d_step { holder = NOBODY; held = false })
#endif
    :: else
    fi;
    do
    :: d_step {
           scan < next && found == NOBODY -> seen = state[scan];
           if
           :: ask && kind(seen) == TAKEN
           :: else -> classify()
           fi
       };
       if
       :: seen != EMPTY -> /* its owner may go on before the question */
            if
#ifndef TAKEN_LEFT
            :: dead[owner(seen)] -> STEP(settle(scan, COMMITTED))
#endif
            :: else
            fi;
            d_step { classify() }
       :: else
       fi
    :: else -> break
    od
}

inline find_next() {
    do
    :: d_step { found == NOBODY && next < RECORDS && state[next] == COMMITTED -> found = next }
    :: d_step {
           found == NOBODY && next < RECORDS && ask && kind(state[next]) == RESERVED ->
           seen = state[next]
       };
       if
       :: dead[owner(seen)] -> STEP(settle(next, CANCELLED))
       :: else -> break
       fi
    :: found == NOBODY && next < RECORDS && state[next] == CANCELLED ->
        STEP(next = next + 1);
        if
        :: head == next - 1 -> STEP(head = next)
        :: else
        fi
    :: else -> break
    od
}

/* shmx_queue_find: what to take, or NOBODY. */
inline find() {
    found = NOBODY;
    if
    :: ask || returned -> find_returned()
    :: else
    fi;
    find_next()
}

/* From here on it does not come back. */
inline deliver() {
    delivered[from[found]]++;
    assert(delivered[from[found]] == 1);
    assert(head <= found)
}

inline pass() {
    if
    :: found == next -> STEP(next = next + 1)
    :: else
    fi
}

inline copy() {
    if
    :: found == next && head == next ->
        STEP(next = next + 1);
        STEP(d_step { deliver(); head = found + 1; found = 0 })
    :: else ->
        pass();
        STEP(d_step { deliver(); state[found] = FREE; found = 0 });
        STEP(d_step { advance() })
    fi;
    unlock()
}

/* ---- a record that is read in place ---- */

#define holds (holder == me && head == found && state[found] == COMMITTED)
#define marked (state[found] == TAKEN + me && head <= found)

inline hold() {
#ifdef HOLDER_LATE
    STEP(next = next + 1);
    unlock();
    STEP(holder = me)
#else
    STEP(holder = me);
    STEP(next = next + 1);
    unlock()
#endif
}

inline mark() {
    pass();
    STEP(state[found] = TAKEN + me);
    unlock()
}

inline release_held() {
    if
    :: d_step { consumers_lock == NOBODY -> consumers_lock = me };
        STEP(d_step { assert(holds); deliver(); head = found + 1; found = 0 });
        STEP(holder = NOBODY);
        STEP(d_step { advance() });
        unlock()
    :: consumers_lock != NOBODY -> /* it may be free by now */
        STEP(d_step { assert(holds); deliver(); state[found] = FREE; found = 0 });
        STEP(holder = NOBODY)
    OR_DIE
    fi
}

inline release_marked() {
    STEP(d_step { assert(marked); deliver(); state[found] = FREE });
    if
    :: d_step { consumers_lock == NOBODY -> consumers_lock = me; found = 0 };
        STEP(d_step { advance() });
        unlock()
    :: d_step { consumers_lock != NOBODY -> found = 0 }
    OR_DIE
    fi
}

inline close_held() {
    STEP(d_step { assert(holds); holder = NOBODY; found = 0; closes = false });
    STEP(returned = true);
    tell()
}

inline close_marked() {
    STEP(d_step { assert(marked); state[found] = COMMITTED; found = 0; closes = false });
    STEP(returned = true);
    tell()
}

proctype consumer(byte me) {
    bool ask, held;
    bool closes = (CLOSES == me);
    byte found, scan, seen, ticket;
again:
    STEP(d_step {
        may_take(consumers_lock);
        if
        :: consumers_lock != NOBODY -> ask = true
        :: else
        fi;
        consumers_lock = me
    });
    find();
    if
    :: found != NOBODY -> copy(); goto again
    :: found != NOBODY && found == next && head == next && holder == NOBODY ->
        hold();
        if
        :: release_held()
        :: closes -> close_held()
        fi;
        goto again
    :: found != NOBODY ->
        mark();
        if
        :: release_marked()
        :: closes -> close_marked()
        fi;
        goto again
    :: found == NOBODY && !ask ->
        unlock();
        STEP(d_step { ticket = event; sleepers = true; ask = true }); /* and look again */
        goto again
    :: found == NOBODY && ask -> unlock()
    fi;
    /* Sleep until told, or until it is time to ask who lives. */
end_sleep:
    d_step {
        (event != ticket || (dead[1] && finished[1]) || dead[3] ||
         (me == 3 && finished[0] && finished[1])) -> ticket = 0
    };
    if
    :: finished[0] && finished[1] && me == 3 -> goto died
    :: finished[0] && finished[1] && me == 2 && gone && (dead[1] || dead[3]) -> goto last
    :: else -> goto again
    fi;
last:
    /* One more look, with all deaths known. */
    atomic { may_take(consumers_lock) -> consumers_lock = me; ask = true };
    find();
    if
    :: found != NOBODY -> copy(); goto last
    :: else -> consumers_lock = NOBODY
    fi;
died:
    if
    :: me == 3 -> gone = true
    :: else
    fi
}

init {
    atomic {
        run producer(0);
        run producer(1);
        run consumer(2);
        run consumer(3)
    };
    /* When nobody can do anything any more, what was sent has been released. */
    timeout;
    assert(!sent[0] || delivered[0] == 1);
    assert(!sent[1] || delivered[1] == 1)
}
