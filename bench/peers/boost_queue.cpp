/* SPDX-License-Identifier: MIT */
#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>

#include "queue_peer.h"

namespace ipc = boost::interprocess;

namespace
{

struct end {
    std::string name;
    ipc::message_queue queue;
    template <class Mode, class... More>
    end(const std::string &called, Mode mode, More... more)
        : name(called), queue(mode, called.c_str(), more...)
    {
    }
};

void *boost_open(const char *name, bool consumer, size_t message, size_t capacity)
{
    std::string own = std::string(name) + "-boost";
    size_t count = capacity / (message + 8);
    if (count == 0)
        return nullptr;
    try {
        if (consumer)
            return new end(own, ipc::open_only);
        return new end(own, ipc::create_only, count, message);
    } catch (const ipc::interprocess_exception &) {
        return nullptr;
    }
}

bool boost_send(void *context, const void *message, size_t size)
{
    static_cast<end *>(context)->queue.send(message, size, 0);
    return true;
}

bool boost_receive(void *context, void *buffer, size_t size)
{
    ipc::message_queue::size_type got;
    unsigned priority;
    static_cast<end *>(context)->queue.receive(buffer, size, got, priority);
    return got == size;
}

void boost_close(void *context, bool consumer)
{
    end *mine = static_cast<end *>(context);
    std::string name = mine->name;
    delete mine;
    if (!consumer)
        ipc::message_queue::remove(name.c_str());
}

} // namespace

extern "C" const queue_peer boost_queue = {
    "Boost message_queue", 0, 3, boost_open, boost_send, boost_receive, boost_close, nullptr};
