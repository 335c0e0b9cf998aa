using System.Globalization;

namespace Opt.LocalCluster.Cli.Run;

/// <summary>For pipes and logs: a line whenever there is something new, at most one every few seconds while steps advance.</summary>
internal sealed class PlainView(TextWriter output, TimeProvider clock) : IRunView
{
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(5);
    private readonly long _start = clock.GetTimestamp();
    private JobView? _last;
    private long _shown;

    public void Say(string message) => output.WriteLine($"[{Elapsed()}] {message}");

    public void Show(JobView view)
    {
        var turned = _last is null || view.Phase != _last.Phase || view.Epoch != _last.Epoch;
        if (!turned && (view == _last || clock.GetElapsedTime(_shown) < Pace)) return;
        (_last, _shown) = (view, clock.GetTimestamp());
        Say(RunText.Line(view));
    }

    private string Elapsed() => clock.GetElapsedTime(_start).ToString(@"mm\:ss", CultureInfo.InvariantCulture);
}
