// SPDX-License-Identifier: MIT
#include <QSharedMemory>
#include <QString>
#include <new>

#include "life_peer.h"
#include "lock_peer.h"

static_assert(sizeof(QSharedMemory) <= HELD_ROOM, "room for the peer");

static QSharedMemory *object(struct held *held)
{
    return reinterpret_cast<QSharedMemory *>(held->room.bytes);
}

static bool finish(struct held *held, bool good)
{
    if (good)
        held->data = object(held)->data();
    else
        object(held)->~QSharedMemory();
    return good;
}

static bool create(struct held *held, const char *name, size_t size)
{
    auto *memory = new (held->room.bytes) QSharedMemory(QString::fromUtf8(name));
    return finish(held, memory->create(static_cast<qsizetype>(size)));
}

static bool attach(struct held *held, const char *name, size_t)
{
    auto *memory = new (held->room.bytes) QSharedMemory(QString::fromUtf8(name));
    return finish(held, memory->attach());
}

static void leave(struct held *held)
{
    object(held)->~QSharedMemory();
}

extern "C" const struct life_peer qt_life = {"Qt QSharedMemory", create, attach, leave, nullptr};

/* Its lock is one of the memory's key, so every process has an object of its own. */
static QSharedMemory *shared()
{
    static QSharedMemory *memory = [] {
        auto *made = new QSharedMemory(QStringLiteral("shmx-bench-qt"));
        if (!made->create(64))
            made->attach();
        return made;
    }();
    return memory;
}

static bool prepare(void *)
{
    return shared()->isAttached();
}

static void lock(void *)
{
    shared()->lock();
}

static void unlock(void *)
{
    shared()->unlock();
}

static void remove_it(void *)
{
    shared()->detach();
}

extern "C" const struct lock_peer qt_lock = {
    "Qt QSharedMemory::lock", prepare, lock, unlock, remove_it, false, true};
