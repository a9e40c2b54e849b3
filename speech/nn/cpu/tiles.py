"""Inner loops of matrix products, written in LLVM IR with the CPU's own instructions.

numba's own code for these loops is several times slower: it does not use dot-product instructions and keeps fewer sums
in registers. All instruction sets give bit-identical results: sums of 8-bit products are exact, and sums of floats are
accumulated in a fixed order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from speech.nn.cpu.instructions import Instructions

MOST_ROWS = 5
"""Maximum rows of a tile, as many as a beam search has hypotheses."""
LANES = 16
"""Partial sums that `dot_tile` computes in parallel."""
_LINE, _AHEAD = 64, 4096
"""Bytes of a cache line, and prefetch distance of weights in bytes, used if each depth position is one line."""
_I16, _I32, _I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_SIGNATURE = types.void(types.int64, types.uintp, types.int64, types.uintp, types.int64, types.int64, types.uintp)


class _Floats:
    """Tile code for float32 times bfloat16 with fused multiply-add."""

    def __init__(self, host: Instructions) -> None:
        self.host = host
        self.step = 4
        """Bytes of the factors per depth position."""
        self.sums = ir.VectorType(ir.FloatType(), host.lanes)
        """LLVM type of a register of sums."""
        self.ahead = 0
        """Prefetch distance in bytes; 0: no prefetch."""

    def columns(self, builder: Any, row: Any, number: int) -> list[Any]:
        """Load register `number` of a matrix row, in the form that `added` takes."""
        ints = ir.VectorType(_I32, self.host.lanes)
        halves = _load(builder, row, 2 * self.host.lanes * number, ir.VectorType(_I16, self.host.lanes))
        whole = builder.shl(builder.zext(halves, ints), _all(ints, 16))
        return [builder.bitcast(whole, self.sums)]

    def factors(self, builder: Any, at: Any) -> list[Any]:
        """Load the factors at address `at`, broadcast to all lanes."""
        return [_broadcast(builder, _load(builder, at, 0, self.sums.element), self.sums)]

    def added(self, builder: Any, total: Any, factors: list[Any], columns: list[Any]) -> Any:
        """Return `total` plus the products."""
        name = f"llvm.fma.v{self.host.lanes}f32"
        return _call(builder, name, self.sums, [factors[0], columns[0], total])


class _Dots(_Floats):
    """Tile code for unsigned times signed 8-bit numbers, four at a time (VNNI)."""

    def __init__(self, host: Instructions) -> None:
        super().__init__(host)
        self.sums = ir.VectorType(_I32, host.lanes)
        self.ahead = _AHEAD if 4 * host.width == _LINE else 0

    def columns(self, builder: Any, row: Any, number: int) -> list[Any]:
        return [_load(builder, row, 4 * self.host.lanes * number, self.sums)]

    def added(self, builder: Any, total: Any, factors: list[Any], columns: list[Any]) -> Any:
        name = f"llvm.x86.avx512.vpdpbusd.{32 * self.host.lanes}"  # AVX-VNNI has the same name
        return _call(builder, name, self.sums, [total, factors[0], columns[0]])


class _Widened(_Dots):
    """Tile code for 8-bit products without VNNI: 16-bit numbers, two at a time; factors are stored in 16 bits."""

    def __init__(self, host: Instructions) -> None:
        super().__init__(host)
        self.step = 8
        self._pairs = ir.VectorType(_I16, 2 * host.lanes)

    def columns(self, builder: Any, row: Any, number: int) -> list[Any]:
        both, eight = builder.bitcast(super().columns(builder, row, number)[0], self._pairs), _all(self._pairs, 8)
        return [builder.ashr(builder.shl(both, eight), eight), builder.ashr(both, eight)]

    def factors(self, builder: Any, at: Any) -> list[Any]:
        pairs = [_broadcast(builder, _load(builder, at, place, _I32), self.sums) for place in (0, 4)]
        return [builder.bitcast(pair, self._pairs) for pair in pairs]

    def added(self, builder: Any, total: Any, factors: list[Any], columns: list[Any]) -> Any:
        both = [
            _call(builder, "llvm.x86.avx2.pmadd.wd", self.sums, pair) for pair in zip(factors, columns, strict=True)
        ]
        return builder.add(total, builder.add(*both))


def _generate(builder: Any, args: list[Any], kind: _Floats) -> None:
    """Emit `sums (rows, width) = factors (rows, depth) @ matrix (depth, width)`, with a branch per number of rows.

    Each factor is broadcast over a register; all sums of a tile stay in registers.
    """
    rows, matrix, matrix_step, factors, factors_step, depth, sums = args
    done = builder.append_basic_block("done")
    switch = builder.switch(rows, done)
    for count in range(1, MOST_ROWS + 1):
        head, body, end = (builder.append_basic_block(f"{name}{count}") for name in ("head", "body", "end"))
        switch.add_case(ir.Constant(_I64, count), head)
        builder.position_at_end(head)
        starts = [builder.add(factors, builder.mul(factors_step, ir.Constant(_I64, n))) for n in range(count)]
        builder.branch(body)
        builder.position_at_end(body)
        place = builder.phi(_I64)
        totals = [[builder.phi(kind.sums) for _ in range(kind.host.registers)] for _ in range(count)]
        row = builder.add(matrix, builder.mul(place, matrix_step))
        columns = [kind.columns(builder, row, n) for n in range(kind.host.registers)]
        if kind.ahead:
            _prefetch(builder, builder.add(row, ir.Constant(_I64, kind.ahead)))
        following = builder.add(place, ir.Constant(_I64, 1))
        place.add_incoming(ir.Constant(_I64, 0), head)
        place.add_incoming(following, body)
        sum_of: list[list[Any]] = []
        for start, own in zip(starts, totals, strict=True):
            at = builder.add(start, builder.mul(place, ir.Constant(_I64, kind.step)))
            factor = kind.factors(builder, at)
            sum_of.append([kind.added(builder, total, factor, one) for total, one in zip(own, columns, strict=True)])
            for total, new in zip(own, sum_of[-1], strict=True):
                total.add_incoming(_all(kind.sums, 0), head)
                total.add_incoming(new, body)
        builder.cbranch(builder.icmp_signed("<", following, depth), body, end)
        builder.position_at_end(end)
        for n, own in enumerate(sum_of):
            for column, new in enumerate(own):
                _store(builder, new, sums, 4 * (kind.host.width * n + kind.host.lanes * column))
        builder.branch(done)
    builder.position_at_end(done)


def _call(builder: Any, name: str, kind: Any, args: Any) -> Any:
    """Emit a call of an LLVM intrinsic."""
    args = list(args)
    return builder.call(
        builder.module.declare_intrinsic(name, (), ir.FunctionType(kind, [arg.type for arg in args])), args
    )


def _prefetch(builder: Any, address: Any) -> None:
    """Emit a read prefetch into the nearest cache."""
    pointer, name = ir.IntType(8).as_pointer(), "llvm.prefetch.p0"
    kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    builder.call(function, [builder.inttoptr(address, pointer), *(ir.Constant(_I32, n) for n in (0, 3, 1))])


def _all(kind: Any, value: float) -> Any:
    return ir.Constant(kind, [value] * kind.count)


def _load(builder: Any, address: Any, offset: int, kind: Any) -> Any:
    pointer = builder.inttoptr(builder.add(address, ir.Constant(_I64, offset)), kind.as_pointer())
    found = builder.load(pointer)
    found.align = 2 if kind == ir.VectorType(_I16, getattr(kind, "count", 0)) else 4
    return found


def _store(builder: Any, value: Any, address: Any, offset: int) -> None:
    pointer = builder.inttoptr(builder.add(address, ir.Constant(_I64, offset)), value.type.as_pointer())
    builder.store(value, pointer).align = 4


def _broadcast(builder: Any, value: Any, kind: Any) -> Any:
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, nothing, _all(ir.VectorType(_I32, kind.count), 0))


def _function(module: Any, kind: _Floats) -> Any:
    """Return the loops as an internal LLVM function, so that they are compiled once per module and not inlined."""
    name = f"tile.{type(kind).__name__}.{kind.host.lanes}"
    if name not in module.globals:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I64] * 7), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        _generate(builder, list(function.args), kind)
        builder.ret_void()
    return module.globals[name]


def _tile(kind: _Floats) -> Callable[..., Any]:
    def tile(context, rows, matrix, matrix_step, factors, factors_step, depth, sums):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
            builder.call(_function(builder.module, kind), args)
            return context.get_dummy_value()

        return _SIGNATURE, generate

    found: Callable[..., Any] = intrinsic(tile)
    return found


class Tiles(NamedTuple):
    """Intrinsics with arguments `(rows, matrix, matrix_step, factors, factors_step, depth, sums)`: addresses, and steps
    in bytes from one row to the next. Sums are `(rows, width)` of four bytes."""

    int8: Callable[..., Any]
    """Factors are unsigned, four per depth position, in 8 bits if `Instructions.dot`, otherwise in 16. The matrix is
    signed, four rows per depth position, stored together per column in `Instructions.order`. Sums are int32."""
    floats: Callable[..., Any]
    """Factors and sums are float32, the matrix is bfloat16; one factor and one row per depth position."""


def tiles(host: Instructions) -> Tiles:
    """Return the tile intrinsics for an instruction set."""
    return Tiles(_tile(_Dots(host) if host.dot else _Widened(host)), _tile(_Floats(host)))


def _sum_of_products(builder: Any, args: list[Any]) -> Any:
    """Emit sixteen parallel partial sums, then a pairwise reduction: a fixed order wherever the code is inlined."""
    a, b, blocks = args
    head = builder.block
    body, end = builder.append_basic_block("body"), builder.append_basic_block("end")
    zero = _all(_FLOATS, 0.0)
    builder.cbranch(builder.icmp_signed(">", blocks, ir.Constant(_I64, 0)), body, end)
    builder.position_at_end(body)
    place, total = builder.phi(_I64), builder.phi(_FLOATS)
    offset = builder.mul(place, ir.Constant(_I64, 4 * LANES))
    factors = [_load(builder, builder.add(address, offset), 0, _FLOATS) for address in (a, b)]
    new = _call(builder, "llvm.fma.v16f32", _FLOATS, [*factors, total])
    following = builder.add(place, ir.Constant(_I64, 1))
    for phi, first, later in ((place, ir.Constant(_I64, 0), following), (total, zero, new)):
        phi.add_incoming(first, head)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed("<", following, blocks), body, end)
    builder.position_at_end(end)
    found = builder.phi(_FLOATS)
    found.add_incoming(zero, head)
    found.add_incoming(new, body)
    for half in (8, 4, 2, 1):
        order = ir.Constant(ir.VectorType(_I32, LANES), [(n + half) % LANES for n in range(LANES)])
        found = builder.fadd(found, builder.shuffle_vector(found, found, order))
    return builder.extract_element(found, ir.Constant(_I32, 0))


def _dot(context, a, b, blocks):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _sum_of_products(builder, args)

    return types.float32(types.uintp, types.uintp, types.int64), generate


dot_tile: Any = intrinsic(_dot)
"""`(a, b, blocks)`: dot product of the first `16 * blocks` float32 at two addresses."""
