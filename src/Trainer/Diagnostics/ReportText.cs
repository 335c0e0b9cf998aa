using System.Globalization;
using Opt.Api.Protocol;
using Opt.Trainer.Cli;

namespace Opt.Trainer.Diagnostics;

/// <summary>Reports for people: a line when a test begins, and a table at the end.</summary>
internal sealed class ReportText(TextWriter output)
{
    private string? _running;

    /// <summary>Says which test begins.</summary>
    public void Progress(DiagnosticsReport report)
    {
        if (report.Running is { } test && test != _running) output.WriteLine($"testing {test}...");
        _running = report.Running;
    }

    /// <param name="member">Whose report it is; null when there is only one.</param>
    public static void Table(TextWriter output, DiagnosticsReport report, string? member = null)
    {
        if (member is not null) output.WriteLine(member);
        output.WriteLine($"{"test",-14} {"result",-10} {"seconds",7}  what");
        foreach (var test in report.Tests)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{test.Test,-14} {Word(test.Outcome),-10} {test.Seconds,7:F2}  {test.Detail}{(test.Digest is { } digest ? $" ({digest[..12]})" : "")}"));
        }

        output.WriteLine(report.State switch
        {
            DiagnosticsState.Passed => "no fault found",
            DiagnosticsState.Failed => $"FAULT: {report.Fault!.Test}: {report.Fault.Detail}",
            _ => $"no fault found, but not everything was tested ({ExitCodes.Name(WorkerExit.DiagnosticsIncomplete)})",
        });
    }

    private static string Word(DiagnosticOutcome outcome) => outcome switch
    {
        DiagnosticOutcome.Passed => "good",
        DiagnosticOutcome.Failed => "FAULT",
        DiagnosticOutcome.Skipped => "skipped",
        _ => "incomplete",
    };
}
