/* SPDX-License-Identifier: MIT */
/*
 * The records of a queue and its deaths: src/queue/{sending,receiving,ring}.c, one step for each
 * store. Two producers, one of which may die at any step, and two consumers, one of which may die at
 * any step. Checked: no message is lost, none is taken twice but by a dead consumer and its
 * successor, and locks of the dead are taken over.
 *
 * Left out: room, and so the ring's end and what waits for it (records are numbered, and there is
 * one for each message); cancelled reservations; messages of different lengths. Each sender wakes
 * all sleepers where the code wakes one: that one is enough is what waiting.pml checks. Whoever
 * sleeps looks for itself after a death only.
 */
/* check: -DPRODUCERS=2
   check: -DPRODUCERS=2 -DMARKS
   fails: -DTAIL_LEFT
   fails: -DMARKS -DTAKEN_LEFT
   fails: -DHOLDER_LEFT
   fails: -DHOLDER_FIRST */
#define EMPTY 0
#define COMMITTED 1
#define RESERVED 2
#define TAKEN 3
#define FREE 4
#define NOBODY 255

#define RECORDS 2 /* one of each producer at most */

byte state[RECORDS + 1];
byte owner[RECORDS + 1]; /* of RESERVED and TAKEN */
byte from[RECORDS + 1];  /* which producer's it is */
byte tail, next, head;
byte holder = NOBODY; /* of the record at head */
bool returned;

byte producers_lock = NOBODY, consumers_lock = NOBODY;
bool sleepers_bit; /* in the producers' lock: somebody may sleep */
byte event, sleepers;

bool dead[4];       /* 0, 1: producers; 2, 3: consumers */
bool sent[2];       /* the producer's send has returned */
byte delivered[2];  /* how often its message was released */
bool finished[2];   /* the producer does nothing more */
bool gone;          /* consumer 3 does nothing more */

/* Only the odd ones die. */
inline maybe_die(me) {
    if
    :: me % 2 == 1 -> dead[me] = true; goto died
    :: skip
    fi
}

/* Free, or held by a dead one: then the caller repairs. */
inline lock_take(lock, me, was_dead) {
    atomic {
        (lock == NOBODY || dead[lock]);
        was_dead = (lock != NOBODY);
        lock = me
    }
}

/* One exchange: the lock is free, the bit is taken. */
inline unlock_tell(me) {
    bool told;
    d_step { told = sleepers_bit; sleepers_bit = false; producers_lock = NOBODY }
    maybe_die(me);
    if
    :: told -> event++
    :: else
    fi
}

inline tell() {
    d_step {
        if
        :: sleepers_bit -> sleepers_bit = false; event++
        :: else
        fi
    }
}

proctype producer(byte me) {
    bool was_dead;
    byte place;
    lock_take(producers_lock, me, was_dead);
    maybe_die(me);
#ifndef TAIL_LEFT /* The tail of one that died is put in order. */
    do
    :: state[tail] != EMPTY -> tail++
    :: else -> break
    od;
#endif
    place = tail;
    state[place + 1] = EMPTY;
    from[place] = me;
    maybe_die(me);
    if
    :: state[place] = COMMITTED; /* send */
       maybe_die(me);
       tail = place + 1;
       maybe_die(me);
       sent[me] = true;
       unlock_tell(me)
    :: d_step { owner[place] = me; state[place] = RESERVED }; /* reserve, commit */
       maybe_die(me);
       tail = place + 1;
       producers_lock = NOBODY;
       maybe_die(me);
       d_step { state[place] = COMMITTED; sent[me] = true };
       maybe_die(me);
       tell()
    fi;
died:
    finished[me] = true
}

/* shmx_queue_advance; what is free becomes room here later than in the code. */
inline advance() {
    d_step {
        do
        :: holder == NOBODY && head < next && state[head] == FREE -> head++
        :: else -> break
        od
    }
}

/* Under the consumers' lock: what to take, or NOBODY. */
inline find(found) {
    found = NOBODY;
    if
#ifndef HOLDER_LEFT
    :: holder != NOBODY && dead[holder] -> holder = NOBODY
#endif
    :: else
    fi;
    advance();
    if
    :: returned ->
        returned = false;
        scan = head;
        do
        :: scan < next ->
            if
#ifndef TAKEN_LEFT
            :: state[scan] == TAKEN && dead[owner[scan]] -> state[scan] = COMMITTED
#endif
            :: else
            fi;
            if
            :: state[scan] == COMMITTED && found == NOBODY && (scan != head || holder == NOBODY) ->
                found = scan; returned = true
            :: else
            fi;
            scan++
        :: else -> break
        od
    :: else
    fi;
    do
    :: found == NOBODY && next < RECORDS && state[next] == COMMITTED -> found = next
    :: found == NOBODY && next < RECORDS && state[next] == RESERVED && dead[owner[next]] ->
        next++
    :: else -> break
    od
}

proctype consumer(byte me) {
    bool was_dead;
    byte found, scan, seen;
again:
    lock_take(consumers_lock, me, was_dead);
    maybe_die(me);
    /* A taker that died is asked about by who looks in vain, each time; here, always. */
    returned = true;
    find(found);
    if
    :: found != NOBODY && found == next && head == next && holder == NOBODY ->
#ifdef MARKS
        goto mark;
#endif
#ifdef HOLDER_FIRST /* next before the holder is said */
        next = next + 1;
        maybe_die(me);
        consumers_lock = NOBODY;
        holder = me;
#else
        holder = me;
        maybe_die(me);
        next = next + 1;
        maybe_die(me);
        consumers_lock = NOBODY;
#endif
        maybe_die(me);
        assert(holder == me && head == found && state[found] == COMMITTED);
        if
        :: lock_take(consumers_lock, me, was_dead);
            assert(holder == me && head == found);
            maybe_die(me);
            d_step { head = found + 1; delivered[from[found]]++ };
            assert(delivered[from[found]] == 1);
            maybe_die(me);
            d_step { holder = NOBODY; consumers_lock = NOBODY }
        :: d_step { state[found] = FREE; delivered[from[found]]++ }; /* the lock is another's */
            assert(delivered[from[found]] == 1);
            maybe_die(me);
            holder = NOBODY
        fi;
        maybe_die(me);
        goto again
    :: found != NOBODY && !(found == next && head == next && holder == NOBODY) ->
mark:
        if
        :: found == next -> next = next + 1
        :: else
        fi;
        maybe_die(me);
        d_step { owner[found] = me; state[found] = TAKEN };
        maybe_die(me);
        consumers_lock = NOBODY;
        maybe_die(me);
        assert(state[found] == TAKEN && owner[found] == me); /* nobody takes it from the living */
        d_step { state[found] = FREE; delivered[from[found]]++ };
        assert(delivered[from[found]] == 1);
        maybe_die(me);
        maybe_die(me);
        goto again
    :: else ->
        consumers_lock = NOBODY
    fi;
    /* Nothing: announce, look again, sleep until told, or until it is time to ask who lives. */
    maybe_die(me);
    d_step { sleepers++; seen = event };
    sleepers_bit = true;
    maybe_die(me);
    if
    :: next >= RECORDS || (state[next] != COMMITTED) ->
end_sleep:
        /* Told; or the slice has passed, which matters only after a death. */
        (event != seen || (dead[1] && finished[1]) || dead[3] ||
         (me == 3 && finished[0] && finished[1]))
    :: else
    fi;
    sleepers--;
    if
    :: finished[0] && finished[1] && me == 3 -> goto died
    :: finished[0] && finished[1] && me == 2 && gone && (dead[1] || dead[3]) -> goto last
    :: else -> goto again
    fi;
last:
    /* One more look, with all deaths known. */
    lock_take(consumers_lock, me, was_dead);
    returned = true;
    find(found);
    if
    :: found != NOBODY ->
        if
        :: found == next -> next = next + 1
        :: else
        fi;
        state[found] = FREE;
        delivered[from[found]]++;
        assert(delivered[from[found]] == 1);
        consumers_lock = NOBODY;
        goto last
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

