using System.Diagnostics;
using System.Globalization;
using static Opt.Torch.torch;
using static Opt.Torch.torch.distributed;

namespace Opt.Torch.Tests;

/// <summary>A rank in a process of its own, which joins a group, takes part in one all-reduce, and then waits to be killed.</summary>
internal static class RankProcess
{
    public const string Command = "rank";

    public static Process Start(int port, int rank, int world)
    {
        var info = Self.Again(Command, port.ToString(CultureInfo.InvariantCulture), rank.ToString(CultureInfo.InvariantCulture), world.ToString(CultureInfo.InvariantCulture));
        info.RedirectStandardInput = true;
        return Process.Start(info)!;
    }

    public static int Run(string[] place)
    {
        var numbers = place.Select(text => int.Parse(text, CultureInfo.InvariantCulture)).ToArray();
        using var client = new TCPStore("127.0.0.1", numbers[0], is_server: false, Ranks.Timeout);
        using var store = new PrefixStore("group", client);
        using var group = ProcessGroupGloo(store, numbers[1], numbers[2], Ranks.Timeout, new GlooOptions { Address = $"127.0.0.{numbers[1] + 1}" });
        using var x = ones([4]);
        using var work = group.all_reduce(x);
        work.Wait();
        Console.In.ReadToEnd(); // ends with the test, if the test does not end this first
        return 0;
    }
}
