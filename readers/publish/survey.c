/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of a survey, of an image or of the series, as members of a JSON object and as
 * lines of a table. Means of integers are exact sums divided once. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "readers/publish/publish.h"

/* --- JSON ---------------------------------------------------------------------------------- */

static void key_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

static void put_value(struct sluice_json *json, bool known, bool is_real, __int128 whole,
                      double real)
{
    if (!known)
        sluice_json_null(json);
    else if (is_real)
        sluice_json_double(json, real);
    else
        sluice_json_int128(json, whole);
}

static double mean_of(bool is_real, __int128 whole, double real, uint64_t pixels)
{
    if (pixels == 0)
        return NAN;
    return is_real ? real / (double)pixels : (double)((long double)whole / (long double)pixels);
}

static void put_rois(struct sluice_json *json, const struct sluice_survey_settings *s,
                     const struct sluice_roi_sum *sums, bool is_real)
{
    sluice_json_key(json, "roi");
    sluice_json_object_begin(json);
    for (uint32_t i = 0; i < s->roi_count; i++) {
        const struct sluice_roi_sum *sum = &sums[i];
        sluice_json_key(json, s->rois[i].name);
        sluice_json_object_begin(json);
        sluice_json_key(json, "sum");
        put_value(json, sum->pixels > 0, is_real, sum->sum, sum->sum_real);
        sluice_json_key(json, "max");
        put_value(json, sum->pixels > 0, is_real, sum->max, sum->max_real);
        key_uint(json, "pixels", sum->pixels);
        sluice_json_put_double(json, "mean",
                               mean_of(is_real, sum->sum, sum->sum_real, sum->pixels));
        sluice_json_object_end(json);
    }
    sluice_json_object_end(json);
}

static void put_histogram(struct sluice_json *json, const struct sluice_survey_settings *s,
                          const uint64_t *cells)
{
    sluice_json_key(json, "histogram");
    sluice_json_object_begin(json);
    sluice_json_key(json, "low");
    sluice_json_int(json, s->histogram_low);
    key_uint(json, "width", s->histogram_width);
    key_uint(json, "below", cells[0]);
    key_uint(json, "above", cells[s->histogram_bins + 1]);
    sluice_json_key(json, "counts");
    sluice_json_array_begin(json);
    for (uint32_t i = 1; i <= s->histogram_bins; i++)
        sluice_json_uint(json, cells[i]);
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}

static void put_radial(struct sluice_json *json, const struct sluice_survey_settings *s,
                       const struct sluice_radial_bin *bins, bool is_real)
{
    sluice_json_key(json, "radial");
    sluice_json_object_begin(json);
    sluice_json_key(json, "centre");
    sluice_json_array_begin(json);
    sluice_json_double(json, s->centre_x);
    sluice_json_double(json, s->centre_y);
    sluice_json_array_end(json);
    sluice_json_put_double(json, "width", s->radial_width);
    sluice_json_key(json, "sum");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < s->radial_bins; i++)
        put_value(json, true, is_real, bins[i].sum, bins[i].sum_real);
    sluice_json_array_end(json);
    sluice_json_key(json, "pixels");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < s->radial_bins; i++)
        sluice_json_uint(json, bins[i].pixels);
    sluice_json_array_end(json);
    sluice_json_key(json, "mean");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < s->radial_bins; i++)
        sluice_json_double(json, mean_of(is_real, bins[i].sum, bins[i].sum_real, bins[i].pixels));
    sluice_json_array_end(json);
    sluice_json_object_end(json);
}

static void put_top(struct sluice_json *json, const struct sluice_survey_result *result,
                    bool is_real, bool with_image)
{
    sluice_json_key(json, "top");
    sluice_json_array_begin(json);
    for (uint32_t i = 0; i < result->top_count; i++) {
        const struct sluice_top_pixel *pixel = &result->top[i];
        sluice_json_object_begin(json);
        sluice_json_key(json, "value");
        put_value(json, true, is_real, pixel->value, pixel->value_real);
        key_uint(json, "x", pixel->x);
        key_uint(json, "y", pixel->y);
        if (with_image)
            key_uint(json, "image", pixel->image);
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
}

void sluice_publish_survey(struct sluice_json *json, const struct sluice_survey *survey,
                           bool of_series)
{
    const struct sluice_survey_settings *s = sluice_survey_settings(survey);
    const struct sluice_survey_result *result =
        of_series ? sluice_survey_series(survey) : sluice_survey_image(survey);
    bool is_real = sluice_survey_is_real(survey);
    if (s->roi_count)
        put_rois(json, s, result->rois, is_real);
    if (s->histogram_bins)
        put_histogram(json, s, result->histogram);
    if (s->radial)
        put_radial(json, s, result->radial, is_real);
    if (s->top)
        put_top(json, result, is_real, of_series);
}

/* --- table --------------------------------------------------------------------------------- */

#define CELL_BYTES 48 /* any 128-bit number fits */

static const char *cell(char *text, bool known, bool is_real, __int128 whole, double real)
{
    struct sluice_json number;
    if (!known || (is_real && !isfinite(real))) {
        snprintf(text, CELL_BYTES, "-");
    } else if (is_real) {
        snprintf(text, CELL_BYTES, "%.6g", real);
    } else {
        sluice_json_init_fixed(&number, text, CELL_BYTES);
        sluice_json_int128(&number, whole);
    }
    return text;
}

static size_t bounded(int bytes)
{
    if (bytes < 0)
        return 0;
    return bytes < SLUICE_TABLE_LINE_BYTES ? (size_t)bytes : SLUICE_TABLE_LINE_BYTES - 1;
}

static size_t roi_line(char *line, const struct sluice_roi *roi, const struct sluice_roi_sum *sum,
                       bool is_real)
{
    char cells[3][CELL_BYTES];
    double mean = mean_of(is_real, sum->sum, sum->sum_real, sum->pixels);
    bool known = sum->pixels > 0;
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES,
                            "    region %s: sum %s, max %s, pixels %" PRIu64 ", mean %s\n",
                            roi->name, cell(cells[0], known, is_real, sum->sum, sum->sum_real),
                            cell(cells[1], known, is_real, sum->max, sum->max_real), sum->pixels,
                            cell(cells[2], known, true, 0, mean)));
}

static size_t top_line(char *line, uint32_t place, const struct sluice_top_pixel *pixel,
                       bool is_real, bool with_image)
{
    char value[CELL_BYTES], image[CELL_BYTES] = "";
    if (with_image)
        snprintf(image, sizeof(image), ", image %" PRIu64, pixel->image);
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES, "    top %u: %s at x %u, y %u%s\n",
                            place + 1, cell(value, true, is_real, pixel->value, pixel->value_real),
                            pixel->x, pixel->y, image));
}

static size_t histogram_line(char *line, const struct sluice_survey_settings *s, uint32_t index,
                             uint64_t count)
{
    char first[CELL_BYTES];
    __int128 low = (__int128)s->histogram_low +
                   (__int128)(index ? index - 1 : 0) * (__int128)s->histogram_width;
    const char *what = index == 0 ? "below " : index > s->histogram_bins ? "from " : "";
    return bounded(snprintf(line, SLUICE_TABLE_LINE_BYTES,
                            "    histogram %s%s: %" PRIu64 " pixels\n", what,
                            cell(first, true, false, low, 0), count));
}

static size_t radial_line(char *line, const struct sluice_survey_settings *s, uint32_t index,
                          const struct sluice_radial_bin *bin, bool is_real)
{
    char cells[2][CELL_BYTES];
    double mean = mean_of(is_real, bin->sum, bin->sum_real, bin->pixels);
    return bounded(snprintf(
        line, SLUICE_TABLE_LINE_BYTES, "    radius %.6g: sum %s, pixels %" PRIu64 ", mean %s\n",
        index * s->radial_width, cell(cells[0], bin->pixels > 0, is_real, bin->sum, bin->sum_real),
        bin->pixels, cell(cells[1], true, true, 0, mean)));
}

bool sluice_table_survey(char *line, size_t *bytes, const struct sluice_survey *survey,
                         bool of_series, uint32_t index)
{
    const struct sluice_survey_settings *s = sluice_survey_settings(survey);
    const struct sluice_survey_result *result =
        of_series ? sluice_survey_series(survey) : sluice_survey_image(survey);
    bool is_real = sluice_survey_is_real(survey);
    *bytes = 0;
    if (index < s->roi_count) {
        *bytes = roi_line(line, &s->rois[index], &result->rois[index], is_real);
        return true;
    }
    index -= s->roi_count;
    if (index < result->top_count) {
        *bytes = top_line(line, index, &result->top[index], is_real, of_series);
        return true;
    }
    index -= result->top_count;
    if (!of_series)
        return false;
    if (s->histogram_bins && index < s->histogram_bins + 2) {
        if (result->histogram[index])
            *bytes = histogram_line(line, s, index, result->histogram[index]);
        return true;
    }
    index -= s->histogram_bins ? s->histogram_bins + 2 : 0;
    if (!s->radial || index >= s->radial_bins)
        return false;
    if (result->radial[index].pixels)
        *bytes = radial_line(line, s, index, &result->radial[index], is_real);
    return true;
}
