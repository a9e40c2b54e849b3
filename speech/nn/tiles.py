"""The innermost loops of products, in the instructions of AVX-512 with VNNI, written as LLVM's intermediate language.

numba's own code for them is several times as slow: it neither has the instruction that multiplies four pairs of
eight-bit numbers and adds them up, nor keeps so many sums in registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from speech.nn.vnni import WIDTH

MOST_ROWS = 5
"""Rows of a tile; beam searches have as many."""
LANES = 16
"""Float32 numbers in a register."""
_REGISTERS = WIDTH // LANES
_BYTES = 4 * WIDTH
_I32, _I64 = ir.IntType(32), ir.IntType(64)
_FLOATS, _INTS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(_I32, LANES)
_HALVES = ir.VectorType(ir.IntType(16), LANES)
_SIGNATURE = types.void(types.int64, types.uintp, types.int64, types.uintp, types.int64, types.int64, types.uintp)


def _generate(builder: Any, args: list[Any], kind: Any, instruction: str) -> None:
    """`sums (rows, 64) = factors (rows, depth) @ matrix (depth, 64)`, with one branch for each number of rows.

    A factor is broadcast over a register; all sums of a tile stay in registers.
    """
    rows, matrix, matrix_step, factors, factors_step, depth, sums = args
    function = ir.FunctionType(kind, [kind, kind, kind])
    multiply_add = builder.module.declare_intrinsic(instruction, (), function)
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
        totals = [[builder.phi(kind) for _ in range(_REGISTERS)] for _ in range(count)]
        row = builder.add(matrix, builder.mul(place, matrix_step))
        registers = [_register(builder, row, n, kind) for n in range(_REGISTERS)]
        following = builder.add(place, ir.Constant(_I64, 1))
        place.add_incoming(ir.Constant(_I64, 0), head)
        place.add_incoming(following, body)
        sum_of: list[list[Any]] = []
        for start, own in zip(starts, totals, strict=True):
            at = builder.add(start, builder.mul(place, ir.Constant(_I64, 4)))
            factor = _broadcast(builder, _load(builder, at, 0, kind.element), kind)
            sum_of.append([builder.call(multiply_add, order) for order in _orders(kind, own, factor, registers)])
            for total, new in zip(own, sum_of[-1], strict=True):
                total.add_incoming(ir.Constant(kind, [0] * LANES), head)
                total.add_incoming(new, body)
        builder.cbranch(builder.icmp_signed("<", following, depth), body, end)
        builder.position_at_end(end)
        for n, own in enumerate(sum_of):
            for column, new in enumerate(own):
                _store(builder, new, sums, _BYTES * n + 4 * LANES * column)
        builder.branch(done)
    builder.position_at_end(done)


def _orders(kind: Any, totals: list[Any], factor: Any, registers: list[Any]) -> list[tuple[Any, Any, Any]]:
    """Arguments of the instruction for each register: VNNI's has the sum first, a fused multiply-add has it last."""
    if kind is _INTS:
        return [(total, factor, register) for total, register in zip(totals, registers, strict=True)]
    return [(factor, register, total) for total, register in zip(totals, registers, strict=True)]


def _register(builder: Any, row: Any, number: int, kind: Any) -> Any:
    """Sixteen numbers of a row, bfloat16 as float32."""
    if kind is _INTS:
        return _load(builder, row, 4 * LANES * number, kind)
    halves = builder.zext(_load(builder, row, 2 * LANES * number, _HALVES), _INTS)
    return builder.bitcast(builder.shl(halves, ir.Constant(_INTS, [16] * LANES)), kind)


def _pointer(builder: Any, address: Any, offset: int, kind: Any) -> Any:
    return builder.inttoptr(builder.add(address, ir.Constant(_I64, offset)), kind.as_pointer())


def _load(builder: Any, address: Any, offset: int, kind: Any) -> Any:
    found = builder.load(_pointer(builder, address, offset, kind))
    found.align = 2 if kind is _HALVES else 4
    return found


def _store(builder: Any, value: Any, address: Any, offset: int) -> None:
    builder.store(value, _pointer(builder, address, offset, value.type)).align = 4


def _broadcast(builder: Any, value: Any, kind: Any) -> Any:
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_INTS, [0] * LANES))


def _function(module: Any, kind: Any, instruction: str) -> Any:
    """The loops as a function, which is compiled once and not again wherever it is called."""
    name = f"tile.{instruction}"
    if name not in module.globals:
        function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_I64] * 7), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        _generate(builder, list(function.args), kind, instruction)
        builder.ret_void()
    return module.globals[name]


def _tile(kind: Any, instruction: str) -> Callable[..., Any]:
    def tile(context, rows, matrix, matrix_step, factors, factors_step, depth, sums):  # type: ignore[no-untyped-def]
        def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
            builder.call(_function(builder.module, kind, instruction), args)
            return context.get_dummy_value()

        return _SIGNATURE, generate

    found: Callable[..., Any] = intrinsic(tile)
    return found


int8_tile = _tile(_INTS, "llvm.x86.avx512.vpdpbusd.512")
"""`(rows, matrix, matrix_step, factors, factors_step, depth, sums)`: addresses, and bytes from one row to the next.

Factors are unsigned, four to a place of `depth`; the matrix is signed, four rows of 64 to a place, those of a column
together. Sums are int32.
"""
float_tile = _tile(_FLOATS, "llvm.fma.v16f32")
"""The same for float32 factors and sums and a matrix in bfloat16, one factor and one row of 64 to a place."""


def _sum_of_products(builder: Any, args: list[Any]) -> Any:
    """Sixteen sums side by side, then halves onto halves: one order, whatever code it stands in."""
    a, b, blocks = args
    add = builder.module.declare_intrinsic("llvm.fma.v16f32", (), ir.FunctionType(_FLOATS, [_FLOATS] * 3))
    head = builder.block
    body, end = builder.append_basic_block("body"), builder.append_basic_block("end")
    zero = ir.Constant(_FLOATS, [0.0] * LANES)
    builder.cbranch(builder.icmp_signed(">", blocks, ir.Constant(_I64, 0)), body, end)
    builder.position_at_end(body)
    place, total = builder.phi(_I64), builder.phi(_FLOATS)
    offset = builder.mul(place, ir.Constant(_I64, 4 * LANES))
    factors = [_load(builder, builder.add(address, offset), 0, _FLOATS) for address in (a, b)]
    new, following = builder.call(add, [*factors, total]), builder.add(place, ir.Constant(_I64, 1))
    for phi, first, later in ((place, ir.Constant(_I64, 0), following), (total, zero, new)):
        phi.add_incoming(first, head)
        phi.add_incoming(later, body)
    builder.cbranch(builder.icmp_signed("<", following, blocks), body, end)
    builder.position_at_end(end)
    found = builder.phi(_FLOATS)
    found.add_incoming(zero, head)
    found.add_incoming(new, body)
    for half in (8, 4, 2, 1):
        order = ir.Constant(_INTS, [(n + half) % LANES for n in range(LANES)])
        found = builder.fadd(found, builder.shuffle_vector(found, found, order))
    return builder.extract_element(found, ir.Constant(_I32, 0))


def _dot(context, a, b, blocks):  # type: ignore[no-untyped-def]
    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return _sum_of_products(builder, args)

    return types.float32(types.uintp, types.uintp, types.int64), generate


dot_tile: Any = intrinsic(_dot)
"""`(a, b, blocks)`: the sum of products of the first `16 * blocks` float32 behind two addresses."""
