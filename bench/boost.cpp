// SPDX-License-Identifier: MIT
#include "boost.h"

#include <cstring>
#include <new>

#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>

extern "C" {
#include "measure.h"
}

namespace ipc = boost::interprocess;

static const std::size_t size = 1024;
static volatile unsigned char sink;

static_assert(sizeof(ipc::interprocess_mutex) <= PEER_SPACE, "room for the peer");

static bool prepare(void *place)
{
    new (place) ipc::interprocess_mutex;
    return true;
}

static void lock(void *place)
{
    static_cast<ipc::interprocess_mutex *>(place)->lock();
}

static void unlock(void *place)
{
    static_cast<ipc::interprocess_mutex *>(place)->unlock();
}

static const struct lock_peer peer = {"Boost interprocess_mutex (not robust)", prepare, lock,
                                      unlock};

static int64_t life(int times, void *context)
{
    const char *name = static_cast<const char *>(context);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        {
            ipc::shared_memory_object object(ipc::create_only, name, ipc::read_write);
            object.truncate(size);
            ipc::mapped_region region(object, ipc::read_write);
            std::memset(region.get_address(), 1, size);
        }
        ipc::shared_memory_object::remove(name);
    }
    return now_ns() - start;
}

static int64_t visit(int times, void *context)
{
    const char *name = static_cast<const char *>(context);
    int64_t start = now_ns();
    for (int i = 0; i < times; i++) {
        ipc::shared_memory_object object(ipc::open_only, name, ipc::read_write);
        ipc::mapped_region region(object, ipc::read_write);
        sink = *static_cast<unsigned char *>(region.get_address());
    }
    return now_ns() - start;
}

const struct lock_peer *boost_lock(void)
{
    return &peer;
}

boost_way *boost_life(void)
{
    return life;
}

boost_way *boost_visit(void)
{
    return visit;
}
