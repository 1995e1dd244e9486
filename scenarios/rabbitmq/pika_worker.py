"""A worker as its users write it: pika consumes from a queue, and says why it ends.

With a word behind its name it never acknowledges what it gets.
"""

import os
import sys

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(host=os.environ["TARGET_HOST"], port=int(os.environ["TARGET_PORT"]))
)
channel = connection.channel()
channel.queue_declare("orders")
acknowledges = len(sys.argv) == 1
if not acknowledges:
    channel.basic_publish("", "orders", b"one that is never acknowledged")


def work(channel, method, _properties, _body):
    print("got", method.delivery_tag, flush=True)
    if acknowledges:
        channel.basic_ack(method.delivery_tag)


channel.basic_consume("orders", work)
print("consuming, heartbeat", connection._impl.params.heartbeat, flush=True)
try:
    channel.start_consuming()
except pika.exceptions.ChannelClosedByBroker as end:
    # The connection lives, and does something else.
    print("channel closed", end.reply_code, end.reply_text, flush=True)
    connection.channel()
    print("another channel is open", flush=True)
    connection.sleep(600)
except pika.exceptions.AMQPConnectionError as end:
    print("connection lost:", repr(end), flush=True)
