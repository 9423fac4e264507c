/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader has done, added up, and the summary line. Sums of integers over a series stay
 * exact: 2^31 pixels of 2^64 an image leave 2^32 images before 128 bits are full. Those of floats
 * are compensated (Neumaier), as within an image. */
#include <math.h>

#include "readers/publish/publish.h"

/* What rounding drops is kept apart. */
static void add_float(struct sluice_channel_totals *t, double v)
{
    const double sum = t->sum_float + v;

    t->sum_rest += fabs(t->sum_float) >= fabs(v) ? t->sum_float - sum + v : v - sum + t->sum_float;
    t->sum_float = sum;
}

double sluice_totals_sum_float(const struct sluice_channel_totals *t)
{
    return isfinite(t->sum_float) ? t->sum_float + t->sum_rest : t->sum_float;
}

void sluice_totals_add(struct sluice_publish_totals *totals, uint32_t channel,
                       const struct sluice_stats *stats)
{
    struct sluice_channel_totals *t = &totals->channels[channel];
    totals->planes++;
    t->planes++;
    t->is_float = stats->is_float;
    t->has_saturated = stats->has_saturated;
    t->invalid += stats->invalid;
    if (stats->valid == 0)
        return;
    bool first = t->valid == 0;
    if (stats->is_float) {
        t->min_float = first ? stats->min_float : fmin(t->min_float, stats->min_float);
        t->max_float = first ? stats->max_float : fmax(t->max_float, stats->max_float);
        add_float(t, stats->sum_float);
    } else {
        t->min = first || stats->min < t->min ? stats->min : t->min;
        t->max = first || stats->max > t->max ? stats->max : t->max;
        t->sum += stats->sum;
    }
    t->valid += stats->valid;
    t->zero += stats->zero;
    t->saturated += stats->saturated;
}

static void key_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

static void key_text(struct sluice_json *json, const char *key, const char *text)
{
    sluice_json_key(json, key);
    sluice_json_text(json, text); /* NULL gives null */
}

static void key_value(struct sluice_json *json, const char *key,
                      const struct sluice_channel_totals *t, __int128 whole, double real)
{
    sluice_json_key(json, key);
    if (t->valid == 0)
        sluice_json_null(json);
    else if (t->is_float)
        sluice_json_double(json, real);
    else
        sluice_json_int128(json, whole);
}

static void channel_object(struct sluice_json *json, const struct sluice_channel_totals *t)
{
    sluice_json_key(json, t->name);
    sluice_json_object_begin(json);
    key_uint(json, "planes", t->planes);
    key_uint(json, "bad", t->bad);
    key_value(json, "min", t, t->min, t->min_float);
    key_value(json, "max", t, t->max, t->max_float);
    key_value(json, "sum", t, t->sum, sluice_totals_sum_float(t));
    sluice_json_key(json, "mean");
    double sum = t->is_float ? sluice_totals_sum_float(t) : (double)t->sum;
    sluice_json_double(json, t->valid ? sum / (double)t->valid : NAN);
    key_uint(json, "zero", t->zero);
    sluice_json_key(json, "saturated");
    if (t->has_saturated)
        sluice_json_uint(json, t->saturated);
    else
        sluice_json_null(json);
    key_uint(json, "invalid", t->invalid);
    if (t->survey)
        sluice_publish_survey(json, t->survey, true);
    sluice_json_object_end(json);
}

static void newest(struct sluice_json *json, const char *key, uint64_t count)
{
    sluice_json_key(json, key);
    if (count)
        sluice_json_uint(json, count - 1);
    else
        sluice_json_null(json);
}

static void latency(struct sluice_json *json, const struct sluice_histogram *h)
{
    sluice_json_key(json, "latency_ms");
    if (h->count == 0) {
        sluice_json_null(json);
        return;
    }
    sluice_json_object_begin(json);
    sluice_json_key(json, "p50");
    sluice_json_double(json, (double)sluice_histogram_percentile(h, 0.5) / 1e6);
    sluice_json_key(json, "p99");
    sluice_json_double(json, (double)sluice_histogram_percentile(h, 0.99) / 1e6);
    sluice_json_key(json, "max");
    sluice_json_double(json, (double)h->max / 1e6);
    sluice_json_object_end(json);
}

static void not_checked(struct sluice_json *json, unsigned lacks)
{
    static const struct {
        enum sluice_follow_lack lack;
        const char *name;
    } names[] = {{SLUICE_LACK_IMAGE_ID, "image_id"},
                 {SLUICE_LACK_CHECKSUM, "checksum"},
                 {SLUICE_LACK_MASK, "pixel_mask"}};
    sluice_json_key(json, "not_checked");
    sluice_json_array_begin(json);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (lacks & names[i].lack)
            sluice_json_text(json, names[i].name);
    sluice_json_array_end(json);
}

void sluice_publish_summary(struct sluice_json *json, const struct sluice_publish_totals *totals,
                            const char *state, const char *shard, double seconds)
{
    sluice_json_object_begin(json);
    sluice_json_key(json, "summary");
    sluice_json_object_begin(json);
    key_text(json, "state", state);
    key_uint(json, "images", totals->images);
    key_uint(json, "planes", totals->planes);
    key_uint(json, "lost", totals->lost);
    key_uint(json, "bad", totals->bad);
    key_uint(json, "skipped", totals->skipped);
    key_text(json, "shard", shard);
    newest(json, "newest_visible", totals->newest_visible);
    newest(json, "newest_processed", totals->newest_processed);
    sluice_json_key(json, "seconds");
    sluice_json_double(json, seconds);
    sluice_json_key(json, "images_per_s");
    sluice_json_double(json, seconds > 0 ? (double)totals->images / seconds : NAN);
    latency(json, &totals->latency);
    not_checked(json, totals->lacks);
    sluice_json_key(json, "channels");
    sluice_json_object_begin(json);
    for (uint32_t i = 0; i < totals->channel_count; i++)
        channel_object(json, &totals->channels[i]);
    sluice_json_object_end(json);
    sluice_json_object_end(json);
    sluice_json_object_end(json);
}
