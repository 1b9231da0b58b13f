/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocols/reply_queue.h"

#include "base/ensure.h"

_Static_assert(REPLY_QUEUE_MAX <= UINT8_MAX, "first and count are octets");

bool reply_queue_has_room(const struct reply_queue *queue, size_t more)
{
    return queue->count + more <= REPLY_QUEUE_MAX;
}

bool reply_queue_is_empty(const struct reply_queue *queue)
{
    return queue->count == 0;
}

void reply_queue_add(struct reply_queue *queue, uint8_t slot)
{
    ENSURE(reply_queue_has_room(queue, 1));
    queue->slots[(queue->first + queue->count) % REPLY_QUEUE_MAX] = slot;
    queue->count++;
}

uint8_t reply_queue_first(const struct reply_queue *queue)
{
    return queue->count > 0 ? queue->slots[queue->first] : REPLY_SLOT_NONE;
}

uint8_t reply_queue_take(struct reply_queue *queue)
{
    uint8_t slot = reply_queue_first(queue);
    if (queue->count > 0) {
        queue->first = (uint8_t)((queue->first + 1) % REPLY_QUEUE_MAX);
        queue->count--;
    }
    return slot;
}

size_t reply_queue_count(const struct reply_queue *queue, uint8_t slot)
{
    size_t found = 0;
    for (size_t i = 0; i < queue->count; i++)
        found += queue->slots[(queue->first + i) % REPLY_QUEUE_MAX] == slot;
    return found;
}
