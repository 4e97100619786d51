/* SPDX-License-Identifier: MIT */
#include "queue_peer.h"

const struct queue_peer zeromq_peer = {0};
