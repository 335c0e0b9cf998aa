using Xunit;
using static Opt.Torch.torch;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

public sealed class CollectiveTests
{
    public static TheoryData<int> Worlds => [1, 2, 3, 4];

    [Theory]
    [MemberData(nameof(Worlds))]
    public void All_reduce_combines_over_all_ranks_in_every_type(int world) => Ranks.Run(world, group =>
    {
        var expected = new Dictionary<ReduceOp, float> { [ReduceOp.SUM] = world * (world + 1) / 2f, [ReduceOp.MAX] = world, [ReduceOp.MIN] = 1 };
        foreach (var type in new[] { float32, float64, float16, bfloat16, int64, int32, uint8 })
        {
            foreach (var (op, value) in expected)
            {
                using var scope = NewDisposeScope();
                var x = full([5], group.rank + 1, type);
                Wait(group.all_reduce(x, op));
                Expect.Close([value, value, value, value, value], x.to(float32));
            }
        }
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void All_gather_puts_every_part_in_rank_order_in_every_type(int world) => Ranks.Run(world, group =>
    {
        foreach (var type in new[] { float32, float16, bfloat16, int64, uint8 })
        {
            using var scope = NewDisposeScope();
            var whole = empty([3 * world], type);
            Wait(group.all_gather_into_tensor(whole, full([3], group.rank, type)));
            Expect.Close([.. Enumerable.Range(0, 3 * world).Select(i => i / 3)], whole.to(float32));
        }
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Groups_count_the_bytes_they_send(int world) => Ranks.Run(world, group =>
    {
        using var scope = NewDisposeScope();
        Wait(group.all_gather_into_tensor(empty([5 * world], float16), empty([5], float16)));
        Assert.Equal((world - 1) * 10, group.bytes_sent);
        Wait(group.reduce_scatter_tensor(empty([3], float32), zeros([3 * world], float32)));
        Assert.Equal((world - 1) * (10 + 12), group.bytes_sent);
        Wait(group.all_reduce(zeros([4 * world], float32)));
        Assert.Equal((world - 1) * (10 + 12 + 32), group.bytes_sent);
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Reduce_scatter_gives_each_rank_its_part_of_the_sum(int world) => Ranks.Run(world, group =>
    {
        foreach (var type in new[] { float32, float16, bfloat16, int64 })
        {
            using var scope = NewDisposeScope();
            var input = arange(3 * world).add(group.rank).to(type);
            var output = empty([3], type == int64 ? int64 : float32);
            Wait(group.reduce_scatter_tensor(output, input));
            Expect.Close([.. Enumerable.Range(0, 3).Select(i => (group.rank * 3 + i) * world + world * (world - 1) / 2)], output.to(float32));
        }
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Reduce_scatter_of_halves_is_the_exact_sum_and_repeats_bit_for_bit(int world) => Ranks.Run(world, group =>
    {
        using var scope = NewDisposeScope();
        const int Part = 5000;
        var inputs = Enumerable.Range(0, world).Select(r => randn([Part * world], generator: new Generator((ulong)(50 + r))).to(float16)).ToArray();
        Tensor first = empty([Part]), second = empty([Part]);
        Wait(group.reduce_scatter_tensor(first, inputs[group.rank]));
        Wait(group.reduce_scatter_tensor(second, inputs[group.rank]));
        var expected = inputs.Select(input => input.narrow(0, group.rank * Part, Part).to(float32)).Aggregate((sum, next) => sum + next);
        Assert.True(first.equal(expected));
        Assert.True(second.equal(first));
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void Reduce_scatter_of_halves_does_not_overflow(int world) => Ranks.Run(world, group =>
    {
        using var scope = NewDisposeScope();
        var output = empty([2]);
        Wait(group.reduce_scatter_tensor(output, full([2 * world], 40000, float16)));
        Expect.Close([40000f * world, 40000f * world], output);
    });

    [Fact]
    public void Large_parts_arrive_whole() => Ranks.Run(3, group =>
    {
        using var scope = NewDisposeScope();
        const long Part = 3_000_001;
        var whole = empty([Part * 3]);
        Wait(group.all_gather_into_tensor(whole, full([Part], group.rank + 1)));
        Assert.Equal([1f, 2, 3], whole.view(3, Part).amax([1]).ToArray<float>());
        Assert.Equal([1f, 2, 3], whole.view(3, Part).amin([1]).ToArray<float>());
    });

    [Theory]
    [MemberData(nameof(Worlds))]
    public void All_to_all_swaps_parts_even_and_uneven(int world) => Ranks.Run(world, group =>
    {
        using var scope = NewDisposeScope();
        var output = empty([world], int64);
        Wait(group.all_to_all_single(output, arange(world).add(10 * group.rank)));
        Assert.Equal(Enumerable.Range(0, world).Select(r => 10L * r + group.rank), output.ToArray<long>());
        long[] sent = [.. Enumerable.Range(0, world).Select(r => r + 1L)], received = [.. Enumerable.Repeat(group.rank + 1L, world)];
        var uneven = empty([received.Sum()], float16);
        Wait(group.all_to_all_single(uneven, full([sent.Sum()], group.rank, float16), received, sent));
        Assert.Equal(Enumerable.Range(0, world).SelectMany(r => Enumerable.Repeat((Half)r, group.rank + 1)), uneven.ToArray<Half>());
    });

    [Fact]
    public void Broadcast_copies_the_root_in_every_type() => Ranks.Run(3, group =>
    {
        foreach (var type in new[] { float32, bfloat16, @bool, int64 })
        {
            using var scope = NewDisposeScope();
            var x = full([4], group.rank == 2 ? 1 : 0, type);
            Wait(group.broadcast(x, 2));
            Expect.Close([1, 1, 1, 1], x.to(float32));
        }
    });

    [Fact]
    public void Send_and_receive_move_a_tensor_between_two_ranks() => Ranks.Run(2, group =>
    {
        using var x = full([4], group.rank + 5);
        Wait(group.rank == 0 ? group.send(x, 1, tag: 7) : group.recv(x, 0, tag: 7));
        Expect.Close([5, 5, 5, 5], x);
    });

    [Fact]
    public void Several_groups_share_one_store_and_one_process() => Ranks.Run(4, group =>
    {
        Wait(group.barrier());
    }, inner: (store, rank) =>
    {
        using var half = ProcessGroupGloo(new PrefixStore($"half{rank / 2}", store), rank % 2, 2, Ranks.Timeout, Ranks.Loopback);
        using var x = full([2], rank);
        Wait(half.all_reduce(x));
        var sum = rank / 2 == 0 ? 1f : 5f;
        Expect.Close([sum, sum], x);
    });

    [Fact]
    public void Collectives_may_be_in_flight_together_and_polled() => Ranks.Run(2, group =>
    {
        using var scope = NewDisposeScope();
        Tensor a = ones([1 << 16]), b = empty([2 << 16]), c = empty([1 << 15]);
        using Work first = group.all_reduce(a), second = group.all_gather_into_tensor(b, full([1 << 16], 3)), third = group.reduce_scatter_tensor(c, full([1 << 16], 2));
        Assert.True(SpinWait.SpinUntil(() => first.IsCompleted && second.IsCompleted && third.IsCompleted, Ranks.Timeout));
        third.Wait();
        second.Wait();
        first.Wait();
        Assert.Equal(2f, a.max().item<float>());
        Assert.Equal(3f, b.min().item<float>());
        Assert.Equal(4f, c.min().item<float>());
    });

    [Fact]
    public void Tensors_may_be_disposed_before_the_wait() => Ranks.Run(2, group =>
    {
        using var output = empty([4]);
        var input = full([8], 1.5);
        using var work = group.reduce_scatter_tensor(output, input);
        input.Dispose();
        work.Wait();
        Expect.Close([3, 3, 3, 3], output);
    });

    [Fact]
    public void Pods_on_loopback_addresses_of_their_own_find_each_other() => Ranks.Run(3, group =>
    {
        using var x = ones([1]);
        Wait(group.all_reduce(x));
        Assert.Equal(3, x.item<float>());
    }, address: rank => $"127.0.{rank + 1}.{rank + 10}");

    [Fact]
    public void Wrong_sizes_and_layouts_are_refused_before_anything_is_sent() => Ranks.Run(2, group =>
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentException>(() => group.all_gather_into_tensor(empty([3]), empty([2])));
        Assert.Throws<ArgumentException>(() => group.all_gather_into_tensor(empty([4]), empty([2], float16)));
        Assert.Throws<ArgumentException>(() => group.reduce_scatter_tensor(empty([3]), empty([4])));
        Assert.Throws<ArgumentException>(() => group.all_reduce(empty([2, 3]).t()));
        Assert.Throws<ArgumentException>(() => group.broadcast(empty([2]), 2));
        Wait(group.barrier());
    });

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void The_two_nodes_of_tensor_parallelism_sum_in_one_direction_each(int world) => Ranks.Run(world, group =>
    {
        using var scope = NewDisposeScope();
        var x = full([2], group.rank + 1, requires_grad: true);
        var sum = world * (world + 1) / 2f;
        var copied = ops.opt.parallel_copy(x, group);
        Expect.Close([group.rank + 1, group.rank + 1], copied);
        Expect.Close([sum, sum], autograd.grad([copied], [x], [full([2], group.rank + 1)])[0]!);
        var reduced = ops.opt.parallel_reduce(x, group);
        Expect.Close([sum, sum], reduced);
        Expect.Close([group.rank + 1, group.rank + 1], autograd.grad([reduced], [x], [full([2], group.rank + 1)])[0]!);
    });

    private static void Wait(Work work)
    {
        using (work)
        {
            work.Wait();
        }
    }
}
