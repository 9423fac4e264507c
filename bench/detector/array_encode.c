/* SPDX-License-Identifier: Apache-2.0
 *
 * Shapes are [rows, columns] in this protocol. */
#include "bench/detector/array_encode.h"

#include "core/json.h"

enum sluice_status sluice_array_encode_image(struct sluice_multipart *message,
                                             const struct sluice_array_image *image)
{
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_text(&json, "htype", "array-1.0");
    sluice_json_key(&json, "shape");
    sluice_json_array_begin(&json);
    sluice_json_uint(&json, image->height);
    sluice_json_uint(&json, image->width);
    sluice_json_array_end(&json);
    sluice_json_put_text(&json, "type", sluice_dtype_name(image->dtype));
    sluice_json_put_uint(&json, "frame", image->frame);
    sluice_json_put_uint(&json, "timestamp", image->timestamp_ns);
    sluice_json_object_end(&json);
    bool failed = json.failed;
    if (!failed)
        sluice_multipart_add(message, (struct sluice_span){(const uint8_t *)json.text, json.bytes});
    sluice_json_close(&json);
    sluice_multipart_add(message, image->pixels);
    return failed || sluice_multipart_failed(message) ? SLUICE_NO_MEMORY : SLUICE_OK;
}
