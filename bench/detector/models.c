/* SPDX-License-Identifier: Apache-2.0
 *
 * Geometry from the makers' data sheets. EIGER2: modules of 1028 x 512 pixels, 12 and 38 pixels
 * apart (the R 500K read out here is the 1030 x 514 form). EIGER, which speaks Stream V1: 1030 x
 * 514, 10 and 37 apart. JUNGFRAU: one module as read out, and
 * modules with the double-size pixels between chips expanded (1030 x 514), 8 and 36 pixels apart.
 * The two small ones at the end exist for tests. */
#include "bench/detector/models.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

static const struct sluice_model models[] = {
    {"eiger2-r-500k", "Dectris EIGER2 R 500K", 1, 1, 1030, 514, 0, 0, 75e-6, 450e-6, 1e-7},
    {"eiger2-500k", "Dectris EIGER2 X 500K", 1, 1, 1028, 512, 0, 0, 75e-6, 450e-6, 1e-7},
    {"eiger2-1m", "Dectris EIGER2 X 1M", 1, 2, 1028, 512, 12, 38, 75e-6, 450e-6, 1e-7},
    {"eiger2-4m", "Dectris EIGER2 X 4M", 2, 4, 1028, 512, 12, 38, 75e-6, 450e-6, 1e-7},
    {"eiger2-9m", "Dectris EIGER2 X 9M", 3, 6, 1028, 512, 12, 38, 75e-6, 450e-6, 1e-7},
    {"eiger2-16m", "Dectris EIGER2 X 16M", 4, 8, 1028, 512, 12, 38, 75e-6, 450e-6, 1e-7},
    {"eiger-500k", "Dectris EIGER X 500K", 1, 1, 1030, 514, 0, 0, 75e-6, 450e-6, 3.8e-6},
    {"eiger-1m", "Dectris EIGER X 1M", 1, 2, 1030, 514, 10, 37, 75e-6, 450e-6, 3.8e-6},
    {"eiger-4m", "Dectris EIGER X 4M", 2, 4, 1030, 514, 10, 37, 75e-6, 450e-6, 3.8e-6},
    {"eiger-9m", "Dectris EIGER X 9M", 3, 6, 1030, 514, 10, 37, 75e-6, 450e-6, 3.8e-6},
    {"eiger-16m", "Dectris EIGER X 16M", 4, 8, 1030, 514, 10, 37, 75e-6, 450e-6, 3.8e-6},
    {"jungfrau-0.5m", "PSI JUNGFRAU 0.5M", 1, 1, 1024, 512, 0, 0, 75e-6, 320e-6, 2e-5},
    {"jungfrau-1m", "PSI JUNGFRAU 1M", 1, 2, 1030, 514, 8, 36, 75e-6, 320e-6, 2e-5},
    {"jungfrau-4m", "PSI JUNGFRAU 4M", 2, 4, 1030, 514, 8, 36, 75e-6, 320e-6, 2e-5},
    {"jungfrau-9m", "PSI JUNGFRAU 9M", 3, 6, 1030, 514, 8, 36, 75e-6, 320e-6, 2e-5},
    {"jungfrau-16m", "PSI JUNGFRAU 16M", 4, 8, 1030, 514, 8, 36, 75e-6, 320e-6, 2e-5},
    {"s256", "Simulated 256 x 256", 1, 1, 256, 256, 0, 0, 75e-6, 450e-6, 1e-7},
    {"tiny", "Simulated 64 x 64", 1, 1, 64, 64, 0, 0, 75e-6, 450e-6, 1e-7},
};

#define MODEL_COUNT (sizeof models / sizeof models[0])

uint32_t sluice_model_width(const struct sluice_model *model)
{
    return model->modules_x * model->module_width + (model->modules_x - 1) * model->gap_x;
}

uint32_t sluice_model_height(const struct sluice_model *model)
{
    return model->modules_y * model->module_height + (model->modules_y - 1) * model->gap_y;
}

const struct sluice_model *sluice_model_at(uint32_t index)
{
    return index < MODEL_COUNT ? &models[index] : NULL;
}

/* The next character that counts, in lower case; advances *text behind it. */
static int next_letter(const char **text)
{
    while (**text == ' ' || **text == '-' || **text == '_')
        (*text)++;
    int letter = tolower((unsigned char)**text);
    if (letter)
        (*text)++;
    return letter;
}

static bool same_name(const char *a, const char *b)
{
    for (;;) {
        int letter = next_letter(&a);
        if (letter != next_letter(&b))
            return false;
        if (!letter)
            return true;
    }
}

const struct sluice_model *sluice_model_find(const char *name)
{
    for (size_t i = 0; i < MODEL_COUNT; i++)
        if (same_name(name, models[i].name))
            return &models[i];
    return NULL;
}
