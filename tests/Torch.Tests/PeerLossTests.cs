using Xunit;
using static Opt.Torch.torch;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

public sealed class PeerLossTests
{
    [Fact]
    public void A_killed_peer_is_reported_at_once_and_the_survivors_regroup_in_place()
    {
        using var server = new TCPStore("127.0.0.1", 0, is_server: true, Ranks.Timeout);
        using var victim = RankProcess.Start(server.port, 2, 3);
        using var alive = new CountdownEvent(2);
        Ranks.RunOn(server.port, 3, "group", group =>
        {
            using var x = ones([1 << 20]);
            using (var work = group.all_reduce(x.narrow(0, 0, 4)))
            {
                work.Wait();
            }

            if (alive.Signal())
            {
                victim.Kill();
                victim.WaitForExit();
            }

            alive.Wait();
            victim.WaitForExit();
            var error = Record.Exception(() => Repeat(group, x));
            Assert.IsType<PeerLostException>(error);
            group.Dispose();
        }, ranks: [0, 1], then: (store, rank) =>
        {
            using var smaller = ProcessGroupGloo(new PrefixStore("again", store), rank, 2, Ranks.Timeout, Ranks.Loopback);
            using var y = ones([4]);
            using var work = smaller.all_reduce(y);
            work.Wait();
            Expect.Close([2, 2, 2, 2], y);
        });
    }

    [Fact]
    public void A_gather_from_a_killed_peer_is_reported_too()
    {
        using var server = new TCPStore("127.0.0.1", 0, is_server: true, Ranks.Timeout);
        using var victim = RankProcess.Start(server.port, 1, 2);
        Ranks.RunOn(server.port, 2, "group", group =>
        {
            using Tensor x = ones([4]), whole = empty([8]);
            using (var work = group.all_reduce(x))
            {
                work.Wait();
            }

            victim.Kill();
            victim.WaitForExit();
            Assert.Throws<PeerLostException>(() =>
            {
                using var work = group.all_gather_into_tensor(whole, x);
                work.Wait();
            });
        }, ranks: [0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_peer_that_does_not_come_ends_in_a_timeout(bool polled)
    {
        using var over = new ManualResetEventSlim();
        Ranks.Run(2, group =>
        {
            if (group.rank == 1)
            {
                over.Wait(); // alive, connected, and silent
                return;
            }

            using Tensor x = ones([4]), whole = empty([8]);
            using var reduction = group.all_reduce(x);
            using var gather = group.all_gather_into_tensor(whole, x);
            Assert.False(polled && gather.IsCompleted);
            var errors = new[] { gather, reduction }.Select(work => Record.Exception(() => work.Wait(TimeSpan.FromMilliseconds(200)))).ToList();
            over.Set();
            Assert.All(errors, error => Assert.IsType<DistributedTimeoutException>(error));
        });
    }

    [Fact]
    public void A_member_that_never_joins_ends_the_meeting_in_a_timeout()
    {
        using var server = new TCPStore("127.0.0.1", 0, is_server: true, TimeSpan.FromSeconds(1));
        Assert.Throws<DistributedTimeoutException>(() => ProcessGroupGloo(server, 0, 2, TimeSpan.FromMilliseconds(500), Ranks.Loopback));
    }

    [Fact]
    public void Nccl_is_absent_here_and_says_so()
    {
        if (has_feature("nccl"))
        {
            return; // a CUDA build: its own tests cover it
        }

        using var server = new TCPStore("127.0.0.1", 0, is_server: true, Ranks.Timeout);
        var error = Assert.Throws<TorchNotSupportedException>(() => ProcessGroupNCCL(server, 0, 1, Ranks.Timeout));
        Assert.Contains("CUDA build of PyTorch", error.Message, StringComparison.Ordinal);
    }

    // The first operation after a death may still find data in the socket's buffers.
    private static void Repeat(ProcessGroup group, Tensor x)
    {
        for (var i = 0; i < 3; i++)
        {
            using var work = group.all_reduce(x);
            work.Wait();
        }
    }
}
