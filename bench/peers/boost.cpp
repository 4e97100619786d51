// SPDX-License-Identifier: MIT
#include <new>

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

#include "life_peer.h"
#include "lock_peer.h"

namespace ipc = boost::interprocess;

/* ---- segments ---- */

namespace
{
struct segment {
    ipc::shared_memory_object object;
    ipc::mapped_region region;
};
} // namespace

static_assert(sizeof(segment) <= HELD_ROOM, "room for the peer");

static segment *place(struct held *held)
{
    return new (held->room.bytes) segment;
}

static void leave(struct held *held)
{
    reinterpret_cast<segment *>(held->room.bytes)->~segment();
}

static bool map(struct held *held, segment *made)
{
    ipc::mapped_region(made->object, ipc::read_write).swap(made->region);
    held->data = made->region.get_address();
    return true;
}

static bool create(struct held *held, const char *name, size_t size)
{
    segment *made = place(held);
    try {
        ipc::shared_memory_object(ipc::create_only, name, ipc::read_write).swap(made->object);
        made->object.truncate(static_cast<ipc::offset_t>(size));
        return map(held, made);
    } catch (const ipc::interprocess_exception &) {
        return leave(held), false;
    }
}

static bool attach(struct held *held, const char *name, size_t)
{
    segment *made = place(held);
    try {
        ipc::shared_memory_object(ipc::open_only, name, ipc::read_write).swap(made->object);
        return map(held, made);
    } catch (const ipc::interprocess_exception &) {
        return leave(held), false;
    }
}

static void remove_it(const char *name)
{
    ipc::shared_memory_object::remove(name);
}

extern "C" const struct life_peer boost_life = {"Boost.Interprocess", create, attach, leave,
                                                remove_it};

/* ---- locks ---- */

static_assert(sizeof(ipc::interprocess_mutex) <= PEER_SPACE, "room for the peer");

static bool prepare(void *where)
{
    new (where) ipc::interprocess_mutex;
    return true;
}

static void lock(void *where)
{
    static_cast<ipc::interprocess_mutex *>(where)->lock();
}

static void unlock(void *where)
{
    static_cast<ipc::interprocess_mutex *>(where)->unlock();
}

extern "C" const struct lock_peer boost_lock = {
    "Boost interprocess_mutex", prepare, lock, unlock, nullptr, false, false};
