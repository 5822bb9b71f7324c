"""The laws that have a short name."""

IDS = {
    "uniform_logit(a=1,b=0,low=-1,high=1)": "W1",
    "uniform_logit(a=0.3,b=0.5,low=-1,high=1)": "W2",
    "normal_logit(a=1,b=0,mean=0,sd=1)": "W3",
    "normal_logit(a=2,b=-1,mean=0,sd=1)": "W4",
    "two_normals(prior=0.05,mean0=0,sd0=1,mean1=1.5,sd1=1)": "W5",
    "two_normals(prior=0.5,mean0=-1,sd0=1,mean1=1,sd1=1)": "W6",
    "normal_probit(a=1,b=0.3,mean=0,sd=1)": "M1",
    "normal_cloglog(a=2,b=-1,mean=0,sd=1)": "D1",
    "two_normals(prior=0.5,mean0=0,sd0=1,mean1=2,sd1=3)": "D2",
    "contaminated_logit(a=3,b=0,share=0.1,mean=-8,sd=0.5,p=0.9)": "D3",
    "uniform_floor_logit(a=3,b=0,floor=0.3,ceiling=1,low=-3,high=3)": "D4",
    "exponential_step(at=1,below=0.1,above=0.9,rate=1)": "D5",
    "uniform_cubic(c0=0.5,c1=-0.32,c2=0,c3=0.8,low=-1,high=1)": "D6",
    "twice_contaminated_logit(a=3,b=0,share0=0.1,mean0=-6,sd0=0.5,p0=0.9,"
    "share1=0.1,mean1=6,sd1=0.5,p1=0.1)": "D7",
    "normal_probit(a=1,b=0,mean=0,sd=1)": "S1",
    "uniform_step(at=0,below=0.2,above=0.8,low=-1,high=1)": "S2",
    "mixture_floor_logit(a=4,b=0,floor=0.1,ceiling=0.9,weight=0.5,mean0=-2,sd0=1,mean1=2,sd1=1)": (
        "S3"
    ),
    "normal_cauchit(a=2,b=-1.4,mean=0.7,sd=1.5)": "S4",
    "gap_cloglog(a=1.5,b=-0.2,inner=1,outer=2)": "S5",
}
"""The laws of the catalogue: the name of each, and its id."""
