/* SPDX-License-Identifier: MIT */
/* The same in C++, with attachments that close themselves. */
#include <shmx.h>

#include <cstring>
#include <iostream>
#include <memory>
#include <stdexcept>

struct close_attachment {
    void operator()(shmx *shm) const
    {
        shmx_close(&shm);
    }
};
using attachment = std::unique_ptr<shmx, close_attachment>;

struct shared {
    shmx_mutex mutex;
    int number;
};

static void must(int status)
{
    if (status != SHMX_OK)
        throw std::runtime_error(shmx_strerror(status));
}

static void run()
{
    shmx *shm;
    must(shmx_create(&shm, nullptr, sizeof(shared), 0));
    attachment one(shm);
    must(shmx_open(&shm, shmx_name(one.get()), 0));
    attachment two(shm);
    auto *first = static_cast<shared *>(shmx_data(one.get()));
    auto *second = static_cast<shared *>(shmx_data(two.get()));
    must(shmx_mutex_lock(one.get(), &first->mutex, SHMX_FOREVER));
    first->number = 42;
    must(shmx_mutex_unlock(one.get(), &first->mutex));
    std::cout << second->number << ' '
              << (std::strcmp(shmx_version(), SHMX_VERSION) == 0 ? "good" : "bad") << '\n';
}

int main()
{
    try {
        run();
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
