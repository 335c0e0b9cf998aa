using System.Runtime.ExceptionServices;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

/// <summary>Runs one body as every rank of a Gloo group, each rank on a thread of its own.</summary>
internal static class Ranks
{
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    public static void Run(int world, Action<ProcessGroup> body, GlooOptions? options = null)
    {
        using var server = new TCPStore("127.0.0.1", 0, is_server: true, Timeout);
        RunOn(server.port, world, "group", body, options);
    }

    public static void RunOn(int port, int world, string prefix, Action<ProcessGroup> body, GlooOptions? options = null)
    {
        var failures = new Exception?[world];
        var threads = Enumerable.Range(0, world).Select(rank => new Thread(() => failures[rank] = Catch(() =>
        {
            using var client = new TCPStore("127.0.0.1", port, is_server: false, Timeout);
            using var store = new PrefixStore(prefix, client);
            using var group = ProcessGroupGloo(store, rank, world, Timeout, options ?? new GlooOptions { Address = "127.0.0.1" });
            body(group);
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
