using System.Text;
using Xunit;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

public sealed class StoreTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(200);

    [Fact]
    public void A_server_on_port_zero_says_which_port_it_got()
    {
        using var server = Server();
        Assert.InRange(server.port, 1, 65535);
    }

    [Fact]
    public void Clients_see_what_the_others_set()
    {
        using var server = Server();
        using var client = new TCPStore("127.0.0.1", server.port, is_server: false, Ranks.Timeout);
        server.set("a", "hello");
        Assert.Equal("hello", Encoding.UTF8.GetString(client.get("a")));
        var large = new byte[100_000];
        Random.Shared.NextBytes(large);
        client.set("b", large);
        Assert.Equal(large, server.get("b"));
        Assert.Equal([], Set("empty", []));

        byte[] Set(string key, byte[] value)
        {
            client.set(key, value);
            return server.get(key);
        }
    }

    [Fact]
    public void Adding_is_atomic_over_all_clients()
    {
        using var server = Server();
        Parallel.For(0, 4, _ =>
        {
            using var client = new TCPStore("127.0.0.1", server.port, is_server: false, Ranks.Timeout);
            for (var i = 0; i < 25; i++)
            {
                client.add("n", 1);
            }
        });
        Assert.Equal(100, server.add("n", 0));
    }

    [Fact]
    public void Compare_and_set_lets_one_of_several_win()
    {
        using var server = Server();
        Assert.Equal("one"u8.ToArray(), server.compare_set("k", ""u8, "one"u8));
        Assert.Equal("one"u8.ToArray(), server.compare_set("k", ""u8, "two"u8));
        Assert.Equal("three"u8.ToArray(), server.compare_set("k", "one"u8, "three"u8));
    }

    [Fact]
    public void Keys_can_be_tested_for_and_forgotten()
    {
        using var server = Server();
        Assert.False(server.check("k"));
        server.set("k", "v");
        Assert.True(server.check("k"));
        Assert.True(server.delete_key("k"));
        Assert.False(server.delete_key("k"));
    }

    [Fact]
    public void A_key_that_nobody_sets_ends_in_a_timeout()
    {
        using var server = Server();
        Assert.Throws<DistributedTimeoutException>(() => server.get("never", Short));
        Assert.Throws<DistributedTimeoutException>(() => server.wait("never", Short));
    }

    [Fact]
    public async Task A_wait_ends_when_another_client_sets_the_key()
    {
        using var server = Server();
        using var client = new TCPStore("127.0.0.1", server.port, is_server: false, Ranks.Timeout);
        var waiter = Task.Run(() => client.get("late"));
        server.set("late", "now");
        Assert.Equal("now"u8.ToArray(), await waiter);
    }

    [Fact]
    public void Prefixes_keep_groups_apart()
    {
        using var server = Server();
        using var first = new PrefixStore("one", server);
        using var second = new PrefixStore("two", server);
        first.set("k", "1");
        Assert.False(second.check("k"));
        Assert.True(first.check("k"));
    }

    [Fact]
    public void A_taken_port_and_an_absent_server_are_reported()
    {
        using var server = Server();
        var taken = Assert.ThrowsAny<TorchException>(() => new TCPStore("127.0.0.1", server.port, is_server: true, Short));
        Assert.Contains("in use", taken.Message, StringComparison.Ordinal);
        var port = server.port;
        server.Dispose();
        Assert.ThrowsAny<DistributedException>(() => new TCPStore("127.0.0.1", port, is_server: false, Short));
    }

    [Fact]
    public void A_server_that_dies_is_a_lost_peer_for_its_clients_and_ends_no_process()
    {
        // Again and again: what ended the process was a matter of which connection the server had taken by then.
        for (var i = 0; i < 100; i++)
        {
            var server = Server();
            using var client = new TCPStore("127.0.0.1", server.port, is_server: false, Ranks.Timeout);
            client.set("k", "v");
            server.Dispose();
            Assert.Throws<PeerLostException>(() => client.get("k"));
        }
    }

    private static TCPStore Server() => new("127.0.0.1", 0, is_server: true, Ranks.Timeout);
}
