using Opt.Torch.Interop;
using Xunit;
using static Opt.Torch.torch;

namespace Opt.Torch.Tests;

/// <summary>Who owns what, and that all of it is given back. Not in parallel with others: the counters are the process's.</summary>
[Collection(nameof(WholeProcess))]
public sealed class HandleTests
{
    [Fact]
    public void Live_tensors_and_bytes_return_to_their_start_after_a_training_step()
    {
        Step();
        var (tensors, bytes) = (Tensor.TotalCount, cpu.memory_allocated());
        for (var i = 0; i < 20; i++)
        {
            Step();
        }

        Assert.Equal(tensors, Tensor.TotalCount);
        Assert.Equal(bytes, cpu.memory_allocated());
    }

    [Fact]
    public void Allocated_bytes_are_exactly_those_of_the_storages()
    {
        var start = cpu.memory_stats();
        cpu.reset_peak_memory_stats();
        using (var x = empty([1000]))
        using (var view = x.view(10, 100))
        {
            Assert.Equal(start.Allocated + 4000, cpu.memory_allocated());
            Assert.Equal(start.Blocks + 1, cpu.memory_stats().Blocks);
        }

        Assert.Equal(start.Allocated, cpu.memory_allocated());
        Assert.Equal(start.Allocated + 4000, cpu.max_memory_allocated());
    }

    [Fact]
    public void A_freed_block_is_reused_and_emptying_the_cache_gives_it_back()
    {
        const long Bytes = 8 << 20;
        cpu.empty_cache();
        var reserved = cpu.memory_reserved();
        empty([Bytes / 4]).Dispose();
        var cached = cpu.memory_reserved();
        Assert.InRange(cached - reserved, Bytes, Bytes + 4096);
        empty([Bytes / 4]).Dispose();
        Assert.Equal(cached, cpu.memory_reserved());
        cpu.empty_cache();
        Assert.Equal(reserved, cpu.memory_reserved());
    }

    [Fact]
    public void A_scope_disposes_what_was_made_in_it_except_what_moved_out()
    {
        var before = Tensor.TotalCount;
        Tensor outer, kept;
        using (NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                ones([1]).add(1);
                outer = ones([1]).MoveToOuterDisposeScope();
                kept = ones([1]).DetachFromDisposeScope();
            }

            Assert.False(outer.IsClosed);
            Assert.Equal(before + 2, Tensor.TotalCount);
        }

        Assert.True(outer.IsClosed);
        Assert.False(kept.IsClosed);
        kept.Dispose();
        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_scope_closes_innermost_first()
    {
        var outer = NewDisposeScope();
        using (NewDisposeScope())
        {
            Assert.Throws<InvalidOperationException>(outer.Dispose);
        }

        outer.Dispose();
    }

    [Fact]
    public void A_failed_call_leaks_nothing()
    {
        using var a = ones([2, 3]);
        var before = Tensor.TotalCount;
        for (var i = 0; i < 10; i++)
        {
            Assert.Throws<TorchException>(() => matmul(a, a));
            Assert.Throws<ArgumentException>(() => tensor([1f, 2], [3]));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void A_list_with_a_disposed_tensor_releases_the_others()
    {
        var good = ones([1]);
        var bad = ones([1]);
        bad.Dispose();
        Assert.Throws<ObjectDisposedException>(() => cat([good, bad]));
        Assert.Throws<ObjectDisposedException>(() => autograd.grad([good, bad], [good]));
        good.Dispose();
        Assert.True(good.IsClosed);
    }

    [Fact]
    public void Memory_of_the_caller_is_shared_and_unpinned_when_the_last_view_is_gone()
    {
        var buffer = new byte[16];
        var weak = Share(buffer);
        Assert.Equal(0, buffer[0]);
        Assert.Equal(0x3f80, BitConverter.ToUInt16(buffer, 2)); // 1.0f, little-endian
        Assert.True(weak());
    }

    [Fact]
    public void A_buffer_that_is_too_small_is_refused()
    {
        var error = Assert.Throws<ArgumentException>(() => from_buffer(new byte[15], [4], float32));
        Assert.Contains("15 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_operator_that_this_libtorch_lacks_is_named()
    {
        var error = Assert.Throws<TorchNotSupportedException>(() => new Op("aten::nope", "self").Call(1L));
        Assert.Contains("aten::nope", error.Message, StringComparison.Ordinal);
        Assert.Throws<TorchNotSupportedException>(() => new Op("aten::relu", "self nope").Call(1L));
    }

    [Fact]
    public void A_missing_library_is_reported_with_what_to_install()
    {
        var candidates = NativeLibraryResolver.Candidates(null, "/a/b").ToList();
        Assert.Equal(["/a/b/libopttorch.so", "/a/b/artifacts/native/libopttorch.so", "/a/artifacts/native/libopttorch.so", "/artifacts/native/libopttorch.so"], candidates);
        Assert.Equal(["/x.so"], NativeLibraryResolver.Candidates("/x.so", "/a"));
    }

    // In a method of its own, so that no local keeps the pin's owner alive.
    private static Func<bool> Share(byte[] buffer)
    {
        var released = false;
        var owner = new Owner(buffer, () => released = true);
        using (var x = from_buffer(owner.Memory, [4], float32))
        {
            using var view = x.narrow(0, 0, 2);
            x.Dispose();
            view.fill_(1);
            Assert.False(released);
        }

        return () => released;
    }

    private static void Step()
    {
        using var scope = NewDisposeScope();
        var x = randn([8, 16]);
        var w = randn([16, 16], requires_grad: true);
        var loss = nn.functional.relu(nn.functional.linear(x, w)).sum();
        var gradient = autograd.grad([loss], [w])[0]!;
        using var mode = no_grad();
        w.sub_(gradient.mul_(0.1));
    }

    private sealed class Owner(byte[] buffer, Action released) : System.Buffers.MemoryManager<byte>
    {
        private System.Runtime.InteropServices.GCHandle _pin;

        public override Span<byte> GetSpan() => buffer;

        public override unsafe System.Buffers.MemoryHandle Pin(int elementIndex = 0)
        {
            _pin = System.Runtime.InteropServices.GCHandle.Alloc(buffer, System.Runtime.InteropServices.GCHandleType.Pinned);
            return new System.Buffers.MemoryHandle((void*)_pin.AddrOfPinnedObject(), default, this);
        }

        public override void Unpin()
        {
            _pin.Free();
            released();
        }

        protected override void Dispose(bool disposing)
        {
        }
    }
}
