/* SPDX-License-Identifier: MIT */
#include "queue_peer.h"

const struct queue_peer *const system_peers[] = {NULL};
