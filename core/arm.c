/* SPDX-License-Identifier: Apache-2.0
 *
 * The words for the answers: they are what HTTP clients compare. */
#include "core/arm.h"

const char *sluice_arm_verdict_name(enum sluice_arm_verdict verdict)
{
    switch (verdict) {
    case SLUICE_ARM_ACCEPTED:
        return "accepted";
    case SLUICE_ARM_BAD_NAME:
        return "bad_name";
    case SLUICE_ARM_BUSY:
        return "busy";
    case SLUICE_ARM_EXISTS:
        return "exists";
    case SLUICE_ARM_NO_SPACE:
        return "no_space";
    case SLUICE_ARM_DROPS:
        return "drops_unexplained";
    case SLUICE_ARM_FAULT:
        return "fault";
    }
    return "?";
}
