using Xunit;

namespace Opt.Layout;

/// <summary>Planning decides and does nothing else: no waiting, no clock, no log, no input or output, no chance.</summary>
public sealed class PurityTests
{
    private static readonly string[] Namespaces = ["System.Threading", "System.IO", "System.Net", "System.Diagnostics.Process", "Microsoft.Extensions", "System.Timers"];
    private static readonly string[] Types = ["System.TimeProvider", "System.Random", "System.Console"];

    private static readonly string[] Members =
    [
        "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTime.get_Today", "System.DateTimeOffset.get_Now", "System.DateTimeOffset.get_UtcNow",
        "System.Guid.NewGuid", "System.Diagnostics.Stopwatch.StartNew", "System.Diagnostics.Stopwatch.GetTimestamp",
    ];

    [Fact]
    public void Planning_uses_no_task_clock_logger_file_or_random_number() => Assert.Empty(Impurities("Opt.Planning"));

    [Fact]
    public void The_scan_finds_what_it_looks_for_where_it_is_used()
    {
        var found = Impurities("opt-local").ToList();

        Assert.Contains(found, f => f.StartsWith("System.Threading.Tasks.Task", StringComparison.Ordinal));
        Assert.Contains(found, f => f.StartsWith("System.IO", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Impurities(string assembly)
    {
        var metadata = AssemblyMetadata.Of(assembly);
        return metadata.Types.Where(IsImpure).Concat(metadata.Members.Where(IsImpureMember));
    }

    // The compiler's own iterators ask for the thread they run on.
    private static bool IsImpureMember(string member) => Members.Contains(member) ||
        (member.StartsWith("System.Environment.", StringComparison.Ordinal) && member != "System.Environment.get_CurrentManagedThreadId");

    private static bool IsImpure(string type) =>
        Types.Contains(type) || Namespaces.Any(n => type == n || type.StartsWith(n + ".", StringComparison.Ordinal));
}
