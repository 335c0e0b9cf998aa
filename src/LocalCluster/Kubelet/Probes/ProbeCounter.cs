namespace Opt.LocalCluster.Kubelet.Probes;

/// <summary>Turns single results into a verdict: so many successes or failures in a row change it.</summary>
internal sealed class ProbeCounter(ProbeSpec spec)
{
    private bool _last;
    private int _inARow;

    /// <summary>The verdict that this result leads to, or null while it is not enough to change anything.</summary>
    public bool? Note(bool succeeded)
    {
        _inARow = succeeded == _last ? _inARow + 1 : 1;
        _last = succeeded;
        return _inARow >= (succeeded ? spec.SuccessThreshold : spec.FailureThreshold) ? succeeded : null;
    }
}
