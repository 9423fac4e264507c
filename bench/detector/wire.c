/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the protocols. */
#include "bench/detector/wire.h"

#include <string.h>

static const struct sluice_wire *const wires[SLUICE_WIRE_PROTOCOL_COUNT] = {
    [SLUICE_WIRE_STREAM2] = &sluice_wire_stream2,
    [SLUICE_WIRE_STREAM1] = &sluice_wire_stream1,
    [SLUICE_WIRE_ARRAY] = &sluice_wire_array,
};

const struct sluice_wire *sluice_wire_of(enum sluice_wire_protocol protocol)
{
    return wires[protocol];
}

bool sluice_wire_from_name(const char *name, enum sluice_wire_protocol *protocol)
{
    for (int i = 0; i < SLUICE_WIRE_PROTOCOL_COUNT; i++) {
        if (strcmp(wires[i]->name, name) == 0) {
            *protocol = (enum sluice_wire_protocol)i;
            return true;
        }
    }
    return false;
}
