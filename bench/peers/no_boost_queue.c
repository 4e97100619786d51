/* SPDX-License-Identifier: MIT */
#include "queue_peer.h"

const struct queue_peer boost_peer = {0};
