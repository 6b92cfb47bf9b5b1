"""What numba does not offer: calling by address, arrays at an address, rows as records, prefetching, powers of two, a
barrier, and flushing denormal numbers to zero. Every intrinsic of the project lives here.

Records. State is kept as one array of shape (variables, neurons), so that loops over neurons vectorise;
`load` reads one column of it as a named tuple, which is what the hooks of models see, and `store` writes one.
"""

from __future__ import annotations

import platform
import sys

from llvmlite import ir
from numba import carray, types
from numba.core import cgutils
from numba.extending import intrinsic, register_jitable

#: what every operation of the step is: a function of the address of its context, and the step
OPERATION = types.void(types.int64, types.int64)

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_X86 = platform.machine().lower() in ("x86_64", "amd64")
_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
_FUTEX_CALL = {"x86_64": 202, "aarch64": 98}.get(platform.machine()) if sys.platform == "linux" else None
_FUTEX = _FUTEX_CALL is not None
_FLUSH = 0x8040  # flush-to-zero and denormals-are-zero bits of MXCSR


@intrinsic
def call(typing, function, context, step):
    """Call the operation at address `function` with its context and the step."""

    def codegen(ctx, builder, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [_I64, _I64])
        builder.call(builder.inttoptr(args[0], kind.as_pointer()), args[1:])
        return ctx.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def _pointer(typing, address, dtype):
    kind = types.CPointer(dtype.dtype)

    def codegen(ctx, builder, signature, args):
        return builder.inttoptr(args[0], ctx.get_value_type(kind))

    return kind(types.int64, dtype), codegen


@register_jitable
def at(address, dtype, n):
    """The array of `n` numbers of `dtype` that begins at `address`."""
    return carray(_pointer(address, dtype), n)


def _marked(builder, instruction, kind):
    """Mark an access as one of those that `put` writes ("alias.scope"), or as apart from them ("noalias")."""
    if kind:
        domain = builder.module.add_metadata(["spikesim"])
        scope = builder.module.add_metadata(["written", domain])
        instruction.set_metadata(kind, builder.module.add_metadata([scope]))
    return instruction


def _of_row(builder, instruction, row, n):
    """Mark an access to one of the `n` rows of an array as apart from those to the others, so that a loop over columns
    is vectorised without a test of each row against each other, which a short loop would not be worth."""
    domain = builder.module.add_metadata(["rows"])
    scopes = [builder.module.add_metadata([f"row {k}", domain]) for k in range(n)]
    if n > 1:
        instruction.set_metadata("alias.scope", builder.module.add_metadata([scopes[row]]))
        instruction.set_metadata("noalias", builder.module.add_metadata(scopes[:row] + scopes[row + 1 :]))
    return instruction


def _loader(mark):
    def typer(typing, record, array, column, stride):
        fields = record.instance_class
        kind = types.NamedUniTuple(array.dtype, len(fields._fields), fields)

        def codegen(ctx, builder, signature, args):
            data = ctx.make_array(signature.args[1])(ctx, builder, args[1]).data
            values, n = [], len(fields._fields)
            for row in range(n):
                offset = builder.add(builder.mul(args[3], ctx.get_constant(types.intp, row)), args[2])
                value = builder.load(builder.gep(data, [offset]))
                values.append(_marked(builder, value, mark) if mark else _of_row(builder, value, row, n))
            return ctx.make_tuple(builder, signature.return_type, values)

        return kind(record, array, types.intp, types.intp), codegen

    return typer


#: `load(record, array, column, stride)` is `record(array[column], array[column + stride], ...)`: one column of an array
#: of shape (fields, stride).
load = intrinsic(_loader(None))


@intrinsic
def product(typing, record, other):
    """The record of what two records of one kind have for each field, multiplied."""

    def codegen(ctx, builder, signature, args):
        pairs = zip(cgutils.unpack_tuple(builder, args[0]), cgutils.unpack_tuple(builder, args[1]), strict=True)
        return ctx.make_tuple(builder, signature.return_type, [builder.fmul(a, b) for a, b in pairs])

    return record(record, record), codegen


@intrinsic
def store(typing, array, column, stride, values):
    """Write the tuple `values` into one column of a (fields, stride) array."""

    def codegen(ctx, builder, signature, args):
        kind = signature.args[0]
        data = ctx.make_array(kind)(ctx, builder, args[0]).data
        found = cgutils.unpack_tuple(builder, args[3])
        for row, value in enumerate(found):
            offset = builder.add(builder.mul(args[2], ctx.get_constant(types.intp, row)), args[1])
            value = ctx.cast(builder, value, signature.args[3][row], kind.dtype)
            _of_row(builder, builder.store(value, builder.gep(data, [offset])), row, len(found))
        return ctx.get_dummy_value()

    return types.void(array, types.intp, types.intp, values), codegen


@intrinsic
def power_of_two(typing, n):
    """2^n as a float64, for -1022 <= n <= 1023: its exponent, written down."""

    def codegen(ctx, builder, signature, args):
        biased = builder.add(args[0], ir.Constant(_I64, 1023))
        return builder.bitcast(builder.shl(biased, ir.Constant(_I64, 52)), ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def power_of_two_single(typing, n):
    """2^n as a float32, for -126 <= n <= 127."""

    def codegen(ctx, builder, signature, args):
        biased = builder.add(args[0], ir.Constant(_I32, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(_I32, 23)), ir.FloatType())

    return types.float32(types.int32), codegen


@intrinsic
def multiply_add(typing, a, b, c):
    """a b + c, rounded once: one instruction where the processor has it, the same bits where it has not."""

    def codegen(ctx, builder, signature, args):
        return builder.fma(*args)

    return a(a, a, a), codegen


@intrinsic
def prefetch(typing, array, index):
    """Bring the cache line of `array[index]` nearer; any index is safe, for nothing is read."""

    def codegen(ctx, builder, signature, args):
        data = ctx.make_array(signature.args[0])(ctx, builder, args[0]).data
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        flags = [ir.Constant(_I32, value) for value in (0, 3, 1)]  # to read, keep in all caches, data
        builder.call(function, [builder.bitcast(builder.gep(data, [args[1]]), byte), *flags])
        return ctx.get_dummy_value()

    return types.void(array, types.intp), codegen


@register_jitable
def context(record, address):
    """The context of an operation: a named tuple of integers, most of them addresses, read from `address`."""
    return load_looked_up(record, at(address, types.int64, 64), 0, 1)


@intrinsic
def _atomic_add(typing, array, index, value):
    def codegen(ctx, builder, signature, args):
        data = ctx.make_array(signature.args[0])(ctx, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def _yield_core(typing):
    def codegen(ctx, builder, signature, args):
        kind = ir.FunctionType(_I32, [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, _YIELD), [])
        return ctx.get_dummy_value()

    return types.void(), codegen


@intrinsic
def _futex(typing, array, index, operation, value):
    """The Linux system call: sleep while the low half of array[index] is `value`, or wake `value` sleepers."""

    def codegen(ctx, builder, signature, args):
        data = ctx.make_array(signature.args[0])(ctx, builder, args[0]).data
        kind = ir.FunctionType(_I64, [_I64], var_arg=True)
        function = cgutils.get_or_insert_function(builder.module, kind, "syscall")
        address = builder.ptrtoint(builder.gep(data, [args[1]]), _I64)
        nothing = ir.Constant(_I64, 0)
        number = ir.Constant(_I64, _FUTEX_CALL or 0)
        builder.call(function, [number, address, args[2], args[3], nothing, nothing, nothing])
        return ctx.get_dummy_value()

    return types.void(array, types.intp, types.int64, types.int64), codegen


ARRIVED, GENERATION, ASLEEP, SPINS = 0, 8, 40, 48  # places in `sync`, a cache line apart
_WAIT, _WAKE, _ALL = 128, 129, 1 << 30  # futex operations, of this process only


@register_jitable
def arrive(sync, n_threads):
    """Tell the others that this thread is here; gives what `wait` wants."""
    generation = _atomic_add(sync, GENERATION, 0)
    if _atomic_add(sync, ARRIVED, 1) == n_threads - 1:
        _atomic_add(sync, ARRIVED, -n_threads)
        _atomic_add(sync, GENERATION, 1)
        if _FUTEX and _atomic_add(sync, ASLEEP, 0) > 0:
            _futex(sync, GENERATION, _WAKE, _ALL)
    return generation


@register_jitable
def wait(sync, generation):
    """Wait until all threads have arrived. Tries sync[SPINS] times, then sleeps until it is woken.

    On a core that another process wants, too, neither a pure spin nor giving way now and then will do: the spin takes
    the time of the thread that it waits for, and who yields is not asked again before the other's slice is over. Who
    sleeps is woken at once. On a core of one's own sleeping takes much longer than waiting for the other thread.
    """
    tries, spins = 0, sync[SPINS]
    while _atomic_add(sync, GENERATION, 0) == generation:
        tries += 1
        if tries > spins:
            if _FUTEX:
                _atomic_add(sync, ASLEEP, 1)
                _futex(sync, GENERATION, _WAIT, generation & 0xFFFFFFFF)
                _atomic_add(sync, ASLEEP, -1)
            else:
                _yield_core()


@intrinsic
def flush_denormals(typing):
    """Treat denormal numbers as zero in this thread from now on; gives what `restore_denormals` wants.

    Decaying traces and currents reach the denormal range within seconds of silence, and arithmetic there is
    some twenty times slower. On machines other than x86 nothing is done.
    """

    def codegen(ctx, builder, signature, args):
        if not _X86:
            return ir.Constant(_I32, 0)
        slot = cgutils.alloca_once(builder, _I32)
        _mxcsr(builder, "st", slot)
        before = builder.load(slot)
        builder.store(builder.or_(before, ir.Constant(_I32, _FLUSH)), slot)
        _mxcsr(builder, "ld", slot)
        return before

    return types.int32(), codegen


@intrinsic
def restore_denormals(typing, before):
    """Undo `flush_denormals`, so that the caller's own arithmetic is as it was."""

    def codegen(ctx, builder, signature, args):
        if _X86:
            slot = cgutils.alloca_once(builder, _I32)
            builder.store(args[0], slot)
            _mxcsr(builder, "ld", slot)
        return ctx.get_dummy_value()

    return types.void(types.int32), codegen


def _mxcsr(builder, direction, slot):
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.x86.sse.{direction}mxcsr")
    builder.call(function, [builder.bitcast(slot, byte)])


# Loops that read at places which they look up, such as `a[slots[k]]`, and write elsewhere: nothing but the word of the
# programmer tells the compiler that what is written is never read so, and that it may work on several at once.
# In such a loop `looked_up` and `load_looked_up` read what it does not write, `own` reads what it writes, `put` writes.


def _reader(kind):
    def typer(typing, array, index):
        def codegen(ctx, builder, signature, args):
            data = ctx.make_array(signature.args[0])(ctx, builder, args[0]).data
            return _marked(builder, builder.load(builder.gep(data, [args[1]])), kind)

        return array.dtype(array, types.intp), codegen

    return typer


looked_up = intrinsic(_reader("noalias"))
load_looked_up = intrinsic(_loader("noalias"))
own = intrinsic(_reader("alias.scope"))


@intrinsic
def put(typing, array, index, value):
    """`array[index] = value`, where `looked_up` and `load_looked_up` do not read."""

    def codegen(ctx, builder, signature, args):
        kind = signature.args[0]
        place = builder.gep(ctx.make_array(kind)(ctx, builder, args[0]).data, [args[1]])
        value = ctx.cast(builder, args[2], signature.args[2], kind.dtype)
        _marked(builder, builder.store(value, place), "alias.scope")
        return ctx.get_dummy_value()

    return types.void(array, types.intp, value), codegen


@intrinsic
def put_eight(typing, array, index, table, row, added):
    """array[index + k] = table[8 row + k] + added for k < 8, all at once; both int32. For an unrolled loop is not."""

    def codegen(ctx, builder, signature, args):
        vector = ir.VectorType(_I32, 8)
        target, source = (ctx.make_array(signature.args[k])(ctx, builder, args[k]).data for k in (0, 2))
        place = builder.gep(source, [builder.mul(args[3], ctx.get_constant(types.intp, 8))])
        values = builder.load(builder.bitcast(place, vector.as_pointer()), align=4)
        first = builder.insert_element(ir.Constant(vector, ir.Undefined), args[4], _I32(0))
        spread = builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0] * 8))
        place = builder.bitcast(builder.gep(target, [args[1]]), vector.as_pointer())
        builder.store(builder.add(values, spread), place, align=4)
        return ctx.get_dummy_value()

    return types.void(array, types.intp, table, types.intp, types.int32), codegen
