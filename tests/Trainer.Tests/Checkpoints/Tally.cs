using System.Collections.Concurrent;
using Xunit;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>What happened in lives of a store, and how often: a scenario that never occurs shows nothing.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _counts = new();

    public void Count(string what) => _counts.AddOrUpdate(what, 1, (_, count) => count + 1);

    public int Of(string what) => _counts.GetValueOrDefault(what);

    /// <summary>Writes the counts to the test's output and requires each of these at least once.</summary>
    public void Require(params IEnumerable<string> all)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(ToString());
        var missing = all.Where(what => Of(what) == 0).ToArray();
        Assert.True(missing.Length == 0 || Seeds.AreChosen, $"never happened: {string.Join(", ", missing)}; what did: {this}");
    }

    public override string ToString() => string.Join(", ", _counts.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => $"{c.Value} x {c.Key}"));
}
