namespace Opt.LocalCluster.Kubelet.Pods;

/// <summary>The kubelet's back-off: the first restart is at once, then 10 s doubling to 5 min; ten minutes of running forget it.</summary>
/// <param name="Scale">Multiplies every delay: below 1 for demonstrations and tests.</param>
public sealed record Backoff(double Scale = 1)
{
    private static readonly TimeSpan First = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan Forgiven = TimeSpan.FromMinutes(10);

    public TimeSpan BeforeStart(int level) =>
        level <= 0 ? TimeSpan.Zero : Scale * TimeSpan.FromTicks(Math.Min(Longest.Ticks, First.Ticks << Math.Min(level - 1, 10)));

    public int NextLevel(int level, TimeSpan ranFor) => ranFor >= Scale * Forgiven ? 0 : level + 1;
}
