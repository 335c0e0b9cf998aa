using System.Globalization;

namespace Opt.Trainer.Tests.Checkpoints;

/// <summary>Seeds of lives: those of a test, or those that OPT_TEST_SEED=SEED (or FIRST-LAST) chooses instead.</summary>
internal static class Seeds
{
    private static readonly string? s_chosen = Environment.GetEnvironmentVariable("OPT_TEST_SEED");

    public static bool AreChosen => s_chosen is not null;

    public static IEnumerable<int> Of(int first, int count)
    {
        if (s_chosen?.Split('-') is not { } range) return Enumerable.Range(first, count);
        var from = Number(range[0]);
        return Enumerable.Range(from, Number(range[^1]) - from + 1);
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
