/* SPDX-License-Identifier: MIT */
#include "../system.h"
#include "limits.h"

void system_doctor(void)
{
    limits_check();
}
