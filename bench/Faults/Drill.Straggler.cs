using System.Text.Json.Nodes;
using Opt.Api.Protocol;

namespace Opt.Bench.Faults;

internal sealed partial class Drill
{
    /// <summary>
    /// One worker stays throttled to a quarter until the operator has found it by the step records and put its node aside: how long until the first step of the
    /// next epoch, how much longer that worker worked than the other, and how much longer the steps took.
    /// </summary>
    public async Task StraggleAsync()
    {
        const string name = "straggler (worker throttled to a quarter, 20 attempts judged)";
        while (!_rounds.AreDone)
        {
            var before = await _steps.RecordsAsync();
            (_pod, _node) = await PlaceAsync(_rounds.Done % 2);
            var struck = TimeProvider.System.GetUtcNow();
            StepRecord first;
            await using (new Throttle(Processes.Worker(_rounds.Done % 2)))
            {
                first = await _steps.FirstAboveAsync(before[^1].Epoch, before[^1].Epoch, seen => before = seen);
            }

            var during = before.Where(r => r.Time > struck).ToArray();
            var worked = Middle(during.Where(r => r.Slowest is not null).Select(r => r.Slowest!.Value.Seconds / r.Slowest.Value.Typical));
            var slowed = Middle(during.Select(r => r.Seconds)) / Middle(before.Where(r => r.Time <= struck).TakeLast(30).Select(r => r.Seconds));
            var found = await IsBlamedAsync(_node, first.Epoch) ? 1 : 0;
            _rounds.Add(($"{name} to next optimizer step without it", "s", (first.Time - struck).TotalSeconds), ("straggler: time it worked, times the other's", "", worked), ("straggler: step time, times the usual", "", slowed), ("straggler: the right node put aside", "", found));
            await ReleaseAsync();
            await SettledAsync(first.Epoch);
        }
    }

    /// <summary>The plan of that epoch was made to get rid of a straggler on that node.</summary>
    private async Task<bool> IsBlamedAsync(string node, long epoch)
    {
        var cause = JsonNode.Parse((string)(await _system.GetAsync(_ct, "configmap", $"opt-tiny-plan-{epoch}"))["data"]!["plan.json"]!)!["cause"]!;
        Console.Error.WriteLine($"{cause["reason"]}: {cause["message"]}");
        return (string?)cause["reason"] == "Straggler" && (string?)cause["node"] == node;
    }

    private static double Middle(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return sorted.Length == 0 ? double.NaN : sorted[sorted.Length / 2];
    }
}
