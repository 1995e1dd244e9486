"""What a pika client does with a broker; prints what it saw, one line each."""

import sys

import pika

connection = pika.BlockingConnection(
    pika.ConnectionParameters(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        credentials=pika.PlainCredentials("worker", "secret"),
        heartbeat=int(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
)
print("heartbeat", connection._impl.params.heartbeat)
channel = connection.channel()
channel.confirm_delivery()
channel.exchange_declare("events", exchange_type="topic")
queue = channel.queue_declare("", exclusive=True).method.queue
channel.queue_bind(queue, "events", "order.#")
channel.basic_qos(prefetch_count=2)
for number in range(5):
    channel.basic_publish("events", f"order.{number}", b"x" * number, pika.BasicProperties(headers={"number": number}))
try:
    channel.basic_publish("events", "invoice", b"", mandatory=True)
except pika.exceptions.UnroutableError as error:
    print("returned", error.messages[0].method.reply_code)

for method, properties, body in channel.consume(queue, inactivity_timeout=1):
    if method is None:
        break
    print("got", method.routing_key, properties.headers["number"], len(body), method.redelivered)
    if method.delivery_tag == 1:
        channel.basic_nack(1, requeue=True)
    else:
        channel.basic_ack(method.delivery_tag)
    if method.delivery_tag == 6:
        break
channel.cancel()

try:
    channel.queue_declare("nowhere", passive=True)
except pika.exceptions.ChannelClosedByBroker as error:
    print("channel closed", error.reply_code, error.reply_text)
connection.close()
print("closed")
