using System.Runtime.ExceptionServices;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

/// <summary>Runs one body as every rank of a Gloo group, each rank on a thread of its own with its own client of the store.</summary>
internal static class Ranks
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    public static readonly GlooOptions Loopback = new() { Address = "127.0.0.1" };

    public static void Run(int world, Action<ProcessGroup> body, Action<Store, int>? inner = null, Func<int, string>? address = null)
    {
        using var server = new TCPStore("127.0.0.1", 0, is_server: true, Timeout);
        RunOn(server.port, world, "group", body, [.. Enumerable.Range(0, world)], inner, address);
    }

    /// <param name="port">Where the store is.</param>
    /// <param name="world">Members of the group.</param>
    /// <param name="prefix">The group's part of the store.</param>
    /// <param name="body">What each rank does.</param>
    /// <param name="ranks">The ranks to run here; others run elsewhere.</param>
    /// <param name="then">What each does after, with its client of the store.</param>
    /// <param name="address">Where each rank listens.</param>
    public static void RunOn(int port, int world, string prefix, Action<ProcessGroup> body, int[] ranks, Action<Store, int>? then = null, Func<int, string>? address = null)
    {
        var failures = new Exception?[world];
        var threads = ranks.Select(rank => new Thread(() => failures[rank] = Catch(() =>
        {
            using var client = new TCPStore("127.0.0.1", port, is_server: false, Timeout);
            using (var store = new PrefixStore(prefix, client))
            using (var group = ProcessGroupGloo(store, rank, world, Timeout, new GlooOptions { Address = address?.Invoke(rank) ?? "127.0.0.1" }))
            {
                body(group);
            }

            then?.Invoke(client, rank);
        }))).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        var first = failures.FirstOrDefault(failure => failure is not null);
        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }
    }

    private static Exception? Catch(Action action)
    {
        try
        {
            action();
            return null;
        }
        catch (Exception error)
        {
            return error;
        }
    }
}
