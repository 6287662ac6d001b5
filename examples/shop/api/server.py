"""Products and carts, as JSON. Carts live in the cache; every answer carries the stamp of this release."""

import json
import os
import pathlib
import re
import signal
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from redis_client import RedisClient, RedisError

STAMP = os.environ.get("RELEASE", "none")
PORT = int(os.environ.get("PORT", "8000"))
CACHE = (os.environ.get("CACHE_HOST", "cache"), int(os.environ.get("CACHE_PORT", "6379")))
PRODUCTS = json.loads(pathlib.Path(__file__).with_name("products.json").read_text())
BY_ID = {product["id"]: product for product in PRODUCTS}
CART_LIFETIME_S = 30 * 24 * 3600
LINGER_S = 0.25
DRAIN_S = 8

in_flight = 0
in_flight_lock = threading.Lock()
stopping = threading.Event()
of_thread = threading.local()


def cache():
    if not hasattr(of_thread, "cache"):
        of_thread.cache = RedisClient(*CACHE)
    return of_thread.cache


def shop(cart_id):
    views = cache().write("INCR", "views")
    held = cache().read("HGETALL", f"cart:{cart_id}") if cart_id else []
    quantities = dict(zip(held[::2], map(int, held[1::2])))
    cart = [{**BY_ID[key], "quantity": count} for key, count in sorted(quantities.items()) if key in BY_ID]
    return {"stamp": STAMP, "products": PRODUCTS, "cart": cart, "views": views}


def add_to_cart(cart_id, product_id):
    key = f"cart:{cart_id}"
    quantity = cache().write("HINCRBY", key, product_id, 1)
    cache().write("EXPIRE", key, CART_LIFETIME_S)
    return {"stamp": STAMP, "product": product_id, "quantity": quantity}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One packet an answer: head and body are written together.
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def get(self, path, query):
        if path == "/up":
            return 200, {"stamp": STAMP}
        if path == "/shop":
            return 200, shop(cart_id_of(query.get("cart", [""])[0]))
        return 404, {"stamp": STAMP, "error": "no such page"}

    def post(self, path, query):
        cart_id = cart_id_of(path.removeprefix("/cart/"))
        product_id = query.get("product", [""])[0]
        if not cart_id or product_id not in BY_ID:
            return 404, {"stamp": STAMP, "error": "no such cart or product"}
        return 200, add_to_cart(cart_id, product_id)

    def answer(self, handle):
        global in_flight
        with in_flight_lock:
            in_flight += 1
        try:
            url = urlsplit(self.path)
            try:
                status, body = handle(url.path, parse_qs(url.query))
            except RedisError as error:
                print(f"{self.command} {self.path}: {error}")
                status, body = 503, {"stamp": STAMP, "error": str(error)}
            self.send(status, json.dumps(body).encode())
        finally:
            with in_flight_lock:
                in_flight -= 1

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Stamp-Api", STAMP)
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        """One line a request would be the most expensive part of it."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def server_bind(self):
        # HTTPServer would ask the DNS for a name that nobody needs, and wait for it where there is none.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "api", PORT


def cart_id_of(text):
    return text if re.fullmatch(r"[0-9a-f]{32}", text) else None


def main():
    server = Server(("", PORT), Handler)
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"api {STAMP} listens on {PORT}")
    stopping.wait()
    print(f"api {STAMP} stops")
    # Asked to stop: each connection ends with its next answer, so that no request meets one that closes.
    time.sleep(LINGER_S)
    server.shutdown()
    server.socket.close()
    give_up_at = time.monotonic() + DRAIN_S
    while in_flight > 0 and time.monotonic() < give_up_at:
        time.sleep(0.01)


main()
