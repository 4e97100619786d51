/* SPDX-License-Identifier: MIT */
#include "boost.h"

#include <stddef.h>

const struct lock_peer *boost_lock(void)
{
    return NULL;
}

boost_way *boost_life(void)
{
    return NULL;
}

boost_way *boost_visit(void)
{
    return NULL;
}
