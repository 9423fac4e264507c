# SPDX-License-Identifier: Apache-2.0
"""Reads HDF5 files of the 1.10 format without the HDF5 library, as XDS's reader does: superblock 3,
object headers 2, compact and dense groups, external links, contiguous datasets, and chunked ones
whose index is a fixed array. Anything else raises Unreadable with what it is: so a file that this
reads needs no more than that.

  file = PlainFile(path)        file.find("/a/b") -> Header (external links are followed)
  header.values()               of a contiguous dataset (numbers)
  header.chunks()               [(address, bytes) or None] of a chunked one, in order
  decode(chunk, filter, dtype, shape)

Written from the HDF5 file format specification, version 3."""
import ctypes
import os
import struct

import numpy as np

UNDEFINED = 0xFFFFFFFFFFFFFFFF
INDEXES = {1: "single chunk", 2: "implicit", 4: "extensible array", 5: "v2 B-tree"}


class Unreadable(Exception):
    pass


class Cursor:
    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, count):
        if self.at + count > len(self.data):
            raise Unreadable("the file ends too early")
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "little")

    def expect(self, signature, version):
        found = self.take(4)
        if found != signature or self.number(1) != version:
            raise Unreadable(f"{found} instead of {signature} version {version}")

    def text(self):
        end = self.data.index(b"\0", self.at)
        value = self.data[self.at:end].decode()
        self.at = end + 1
        return value


class PlainFile:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            self.data = file.read()
        cursor = Cursor(self.data)
        if cursor.take(8) != b"\x89HDF\r\n\x1a\n" or cursor.number(1) != 3:
            raise Unreadable("no superblock of version 3")
        if (cursor.number(1), cursor.number(1)) != (8, 8):
            raise Unreadable("addresses that are not of 8 bytes")
        cursor.take(1 + 8 + 8 + 8)
        self.root = Header(self, cursor.number(8))

    def find(self, path):
        """The object at a path; the file may be another one behind an external link."""
        header = self.root
        for name in path.strip("/").split("/"):
            links = header.links()
            if name not in links:
                raise Unreadable(f"no {name} of {path}")
            kind, *target = links[name]
            if kind == "external":
                other = PlainFile(os.path.join(os.path.dirname(self.path), target[0]))
                header = other.find(target[1])
            else:
                header = Header(header.file, target[0])
        return header


class Header:
    """An object header of version 2 and its messages: (type, bytes)."""

    def __init__(self, file, address):
        self.file, self.messages = file, []
        cursor = Cursor(file.data, address)
        cursor.expect(b"OHDR", 2)
        flags = cursor.number(1)
        cursor.take((16 if flags & 32 else 0) + (4 if flags & 16 else 0))
        self._read(cursor, cursor.number(1 << (flags & 3)), flags)

    def _read(self, cursor, size, flags):
        end = cursor.at + size
        while cursor.at + 4 <= end:
            kind, length, _ = cursor.number(1), cursor.number(2), cursor.number(1)
            cursor.take(2 if flags & 4 else 0)
            data = cursor.take(length)
            if kind == 0x10:  # goes on elsewhere: signature before, checksum behind
                address, length = struct.unpack("<QQ", data)
                further = Cursor(self.file.data, address)
                if further.take(4) != b"OCHK":
                    raise Unreadable("no continuation where one is named")
                self._read(further, length - 8, flags)
            else:
                self.messages.append((kind, data))

    def message(self, wanted):
        for kind, data in self.messages:
            if kind == wanted:
                return Cursor(data)
        return None

    def links(self):
        found = [read_link(Cursor(data)) for kind, data in self.messages if kind == 6]
        info = self.message(2)
        if info is not None:
            info.take(1)
            info.take(8 if info.number(1) & 1 else 0)
            heap, index = info.number(8), info.number(8)
            if heap != UNDEFINED:
                found += [read_link(Cursor(data)) for data in dense_links(self.file, heap, index)]
        return dict(found)

    def shape(self):
        space = self.message(1)
        version, rank, flags = (space.number(1) for _ in range(3))
        if version != 2:
            raise Unreadable(f"dataspace version {version}")
        space.take(1)
        sizes = [space.number(8) for _ in range(rank)]
        return sizes, [space.number(8) for _ in range(rank)] if flags & 1 else sizes

    def dtype(self):
        kind = self.message(3)
        code, bits, size = kind.number(1) & 15, kind.number(3), kind.number(4)
        if code == 0:
            return np.dtype(f"<{'i' if bits & 8 else 'u'}{size}")
        if code == 1:
            return np.dtype(f"<f{size}")
        raise Unreadable(f"datatype class {code}")

    def filter(self):
        """The number of the one filter, or None."""
        pipeline = self.message(11)
        if pipeline is None:
            return None
        if (pipeline.number(1), pipeline.number(1)) != (2, 1):
            raise Unreadable("not one filter")
        return pipeline.number(2)

    def _layout(self, wanted):
        layout = self.message(8)
        version, kind = layout.number(1), layout.number(1)
        if version not in (3, 4) or kind != wanted:
            raise Unreadable(f"layout version {version}, class {kind} instead of {wanted}")
        return layout

    def values(self):
        layout = self._layout(1)
        shape, dtype = self.shape()[0], self.dtype()
        address, size = layout.number(8), layout.number(8)
        if address == UNDEFINED or size != int(np.prod(shape)) * dtype.itemsize:
            raise Unreadable("not allocated in full")
        return np.frombuffer(self.file.data, dtype, int(np.prod(shape)), address).reshape(shape)

    def chunks(self):
        layout = self._layout(2)
        layout.take(1)
        rank, width = layout.number(1), layout.number(1)
        chunk = [layout.number(width) for _ in range(rank)][:-1]
        index = layout.number(1)
        if index != 3:
            raise Unreadable(f"the index is {INDEXES.get(index, index)}, no fixed array")
        layout.take(1)
        shape, _ = self.shape()
        if chunk != [1, *shape[1:]]:
            raise Unreadable(f"chunks of {chunk}")
        return fixed_array(self.file, layout.number(8), self.filter() is not None,
                           int(np.prod(chunk)) * self.dtype().itemsize)[:shape[0]]


def read_link(cursor):
    """(name, ("hard", address) or ("external", file, path))."""
    if cursor.number(1) != 1:
        raise Unreadable("link version")
    flags = cursor.number(1)
    kind = cursor.number(1) if flags & 8 else 0
    cursor.take((8 if flags & 4 else 0) + (1 if flags & 16 else 0))
    name = cursor.take(cursor.number(1 << (flags & 3))).decode()
    if kind == 0:
        return name, ("hard", cursor.number(8))
    if kind != 64:
        raise Unreadable(f"link of type {kind}")
    cursor.take(2 + 1)
    return name, ("external", cursor.text(), cursor.text())


def dense_links(file, heap_address, index_address):
    """The link messages of a group that has many: in a fractal heap, named by a v2 B-tree."""
    heap = FractalHeap(file, heap_address)
    tree = Cursor(file.data, index_address)
    tree.expect(b"BTHD", 0)
    if tree.number(1) != 5:
        raise Unreadable("no index of link names")
    node, record, depth = tree.number(4), tree.number(2), tree.number(2)
    tree.take(2)
    root, count = tree.number(8), tree.number(2)
    if depth > 1:
        raise Unreadable(f"an index of depth {depth}")
    leaves, records = [(root, count)], []
    if depth == 1:
        inner = Cursor(file.data, root)
        inner.expect(b"BTIN", 0)
        inner.take(1)
        records = [inner.take(record) for _ in range(count)]
        width = (((node - 10) // record).bit_length() + 7) // 8
        leaves = [(inner.number(8), inner.number(width)) for _ in range(count + 1)]
    for address, held in leaves:
        leaf = Cursor(file.data, address)
        leaf.expect(b"BTLF", 0)
        leaf.take(1)
        records += [leaf.take(record) for _ in range(held)]
    return [heap.object(data[4:]) for data in records]


class FractalHeap:
    def __init__(self, file, address):
        self.file = file
        head = Cursor(file.data, address)
        head.expect(b"FRHP", 0)
        head.take(2 + 2 + 1 + 4 + 12 * 8)
        self.width, self.first, self.largest = head.number(2), head.number(8), head.number(8)
        self.offset_bytes = (head.number(2) + 7) // 8
        head.take(2)
        self.root, self.rows = head.number(8), head.number(2)

    def object(self, identifier):
        cursor = Cursor(identifier)
        if cursor.number(1) != 0:
            raise Unreadable("a heap object that is not managed")
        offset = cursor.number(self.offset_bytes)
        length = cursor.number(len(identifier) - 1 - self.offset_bytes)
        block, within = self._block(offset)
        return self.file.data[block + within:block + within + length]

    def _block(self, offset):
        """The direct block that holds this offset of the heap, and the offset in it."""
        if self.rows == 0:
            return self.root, offset
        table = Cursor(self.file.data, self.root)
        table.expect(b"FHIB", 0)
        table.take(8 + self.offset_bytes)
        size, start = self.first, 0
        for row in range(self.rows):
            size *= 2 if row > 1 else 1
            if size > self.largest:
                break
            for _ in range(self.width):
                address = table.number(8)
                if offset < start + size:
                    return address, offset - start
                start += size
        raise Unreadable("a heap of several levels")


def fixed_array(file, address, filtered, chunk_bytes):
    if address == UNDEFINED:
        return []
    head = Cursor(file.data, address)
    head.expect(b"FAHD", 0)
    head.take(1)
    entry, page, count, block = head.number(1), head.number(1), head.number(8), head.number(8)
    if block == UNDEFINED:
        return [None] * count
    data = Cursor(file.data, block)
    data.expect(b"FADB", 0)
    data.take(1 + 8)

    def element():
        at = data.number(8)
        size = data.number(entry - 12) if filtered else chunk_bytes
        if filtered and data.number(4) != 0:
            raise Unreadable("a chunk that skips its filter")
        return None if at == UNDEFINED else (at, size)

    if count <= 1 << page:
        return [element() for _ in range(count)]
    pages = -(-count // (1 << page))
    there = data.take((pages + 7) // 8)
    data.take(4)
    out = []
    for number in range(pages):
        held = min(1 << page, count - len(out))
        if there[number // 8] >> (7 - number % 8) & 1:
            out += [element() for _ in range(held)]
            data.take(4)
        else:
            data.take(held * entry + 4)
            out += [None] * held
    return out


LZ4 = ctypes.CDLL("liblz4.so.1")


def lz4_block(data, size):
    out = ctypes.create_string_buffer(size)
    if LZ4.LZ4_decompress_safe(data, out, len(data), size) != size:
        raise Unreadable("a broken LZ4 block")
    return out.raw


def decode(chunk, number, dtype, shape):
    """The pixels of a chunk, filter 32008 (bitshuffle, LZ4), 32004 (LZ4) or none."""
    if number is None:
        return np.frombuffer(chunk, dtype).reshape(shape)
    cursor = Cursor(chunk)
    total = int.from_bytes(cursor.take(8), "big")
    block = int.from_bytes(cursor.take(4), "big")
    if total != int(np.prod(shape)) * dtype.itemsize or number not in (32004, 32008):
        raise Unreadable(f"filter {number}, {total} bytes")
    out = b""
    tail = total % (8 * dtype.itemsize) if number == 32008 else 0  # stored as it is
    while len(out) < total - tail:
        size = min(block, total - tail - len(out))
        held = cursor.take(int.from_bytes(cursor.take(4), "big"))
        plain = held if number == 32004 and len(held) == size else lz4_block(held, size)
        out += plain if number == 32004 else unshuffle(plain, dtype.itemsize)
    return np.frombuffer(out + cursor.take(tail), dtype).reshape(shape)


def unshuffle(data, itemsize):
    """Bit k of all elements, k after k, back to elements."""
    bits = np.unpackbits(np.frombuffer(data, "u1"), bitorder="little")
    return np.packbits(bits.reshape(8 * itemsize, -1).T, bitorder="little").tobytes()
